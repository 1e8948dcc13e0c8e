"""From an alias or a DSN to the facts about it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django_lifeline.diagnosis.doctor.connect import CannotConnect, connected
from django_lifeline.diagnosis.doctor.facts import Facts, Layout, Project, Settings
from django_lifeline.diagnosis.doctor.project import read_project
from django_lifeline.diagnosis.doctor.server import read_server
from django_lifeline.diagnosis.doctor.settings import read_settings
from django_lifeline.diagnosis.dsn import entry_from_dsn
from django_lifeline.diagnosis.text import N_
from django_lifeline.diagnosis.usage import UsageError
from django_lifeline.driver import use_installed_driver

OUR_ENGINES = "django_lifeline.backends."


@dataclass(frozen=True, slots=True)
class Patient:
    """One database to examine."""

    wrapper: Any
    """Django's ``DatabaseWrapper`` for it."""
    settings: Settings


def facts_about(patient: Patient, patients: Sequence[Patient], layout: Layout | None) -> Facts:
    """Ask the server and the project; an unreachable server is a fact too."""
    settings = patient.settings
    facts = Facts(
        settings=settings,
        layout=layout,
        project=project_of(patient),
        beside=tuple(
            other.settings
            for other in patients
            if other is not patient and _same_server(other.settings, settings)
        ),
        today=today(),
    )
    try:
        with connected(patient.wrapper) as (ask, link):
            return replace(facts, server=read_server(ask, link))
    except CannotConnect as error:
        return replace(facts, unreachable=error.why)


def today() -> date:
    """Return the day of the examination; a server's support ends on a day."""
    return date.today()


def project_of(patient: Patient) -> Project | None:
    """Return what the installed apps say; None where no project is loaded."""
    from django.apps import apps
    from django.db import connections

    alias = patient.settings.alias
    known = alias in connections and connections[alias] is patient.wrapper
    return read_project(alias) if apps.ready and known else None


def from_aliases(aliases: Sequence[str]) -> list[Patient]:
    """Return the databases of the project's settings; none named: all that are MySQL.

    Raises `UsageError` for an alias that is not there, or not MySQL.
    """
    import django
    from django.conf import ENVIRONMENT_VARIABLE, settings
    from django.core.exceptions import ImproperlyConfigured
    from django.db import connections

    if not settings.configured and not os.environ.get(ENVIRONMENT_VARIABLE):
        raise UsageError(
            f"which database? Give --settings MODULE (or {ENVIRONMENT_VARIABLE}), or a --dsn; or "
            "call it as manage.py lifeline, with 'django_lifeline' in INSTALLED_APPS."
        )
    try:
        if not settings.configured:
            django.setup()
        known = list(connections)
        for alias in aliases:
            if alias not in known:
                raise UsageError(
                    f"--database {alias}: DATABASES has no such alias. It has: {', '.join(known)}."
                )
        found = [wrapper for alias in aliases or known for wrapper in _wrapper(alias, aliases)]
    except (ImproperlyConfigured, ImportError) as error:
        first = str(error).strip().splitlines()[0]
        raise UsageError(
            f"the settings cannot be loaded: {first.rstrip('.')}. Run it through manage.py, give "
            f"--settings (or {ENVIRONMENT_VARIABLE}), or a --dsn."
        ) from None
    for wrapper in found:
        if aliases and wrapper.vendor != "mysql":
            raise UsageError(
                f"--database {wrapper.alias}: its ENGINE is {wrapper.settings_dict['ENGINE']}, "
                "which is neither MySQL nor MariaDB."
            )
    patients = [patient_of(wrapper) for wrapper in found if wrapper.vendor == "mysql"]
    if not patients:
        raise UsageError("DATABASES has no alias with a MySQL or MariaDB engine.")
    return patients


def _wrapper(alias: str, named: Sequence[str]) -> list[Any]:
    """Return the alias's wrapper; none where its engine is another one that is not installed."""
    from django.core.exceptions import ImproperlyConfigured
    from django.db import connections

    try:
        return [connections[alias]]
    except (ImproperlyConfigured, ImportError):
        if named or "mysql" in connections.settings[alias]["ENGINE"]:
            raise
        return []


def from_dsn(dsn: str) -> Patient:
    """Return the database of a DSN; no settings are needed. Raises `UsageError`."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.db.utils import ConnectionHandler

    entry = entry_from_dsn(dsn)
    if not settings.configured:
        settings.configure()
    try:
        use_installed_driver()
        wrapper = ConnectionHandler({"default": entry})["default"]
    except (ImproperlyConfigured, ImportError) as error:
        raise UsageError(f"--dsn: {str(error).strip().splitlines()[0]}") from None
    if wrapper.vendor != "mysql":
        raise UsageError(f"--dsn: ENGINE={entry['ENGINE']} is neither MySQL nor MariaDB.")
    return patient_of(wrapper, where=N_("the database of --dsn"))


def patient_of(wrapper: Any, where: str = "") -> Patient:
    """Return the patient that a wrapper is."""
    from django.core.exceptions import ImproperlyConfigured

    settings = read_settings(
        wrapper.alias,
        wrapper.settings_dict,
        wrapper.Database,
        ours=any(kind.__module__.startswith(OUR_ENGINES) for kind in type(wrapper).__mro__),
        where=where,
    )
    if settings.ours and not settings.option_error:
        try:
            wrapper.get_connection_params()
        except ImproperlyConfigured as error:
            # Django's own options, such as a wrong isolation level.
            settings = replace(settings, option_error=str(error))
    return Patient(wrapper, settings)


def _same_server(one: Settings, other: Settings) -> bool:
    return (one.host, one.port) == (other.host, other.port)
