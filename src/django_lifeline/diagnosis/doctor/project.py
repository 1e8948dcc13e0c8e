"""What the installed apps say: large fields, and work that knows no requests."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django_lifeline.diagnosis.doctor.code import scan
from django_lifeline.diagnosis.doctor.facts import Field, Project
from django_lifeline.diagnosis.doctor.strays import in_settings

LARGE = ("BinaryField", "TextField", "JSONField")
OUTSIDE_REQUESTS = (
    "channels",
    "django_apscheduler",
    "django_celery_beat",
    "django_celery_results",
    "django_cron",
    "django_crontab",
    "django_dramatiq",
    "django_q",
    "django_rq",
    "django_tasks",
    "django_tasks_db",
    "huey.contrib.djhuey",
    "background_task",
)


def read_project(alias: str) -> Project:
    """Return what the project's models and settings say about the database *alias*."""
    from django.apps import apps
    from django.conf import settings
    from django.db import connections, router

    models = [
        model
        for model in (apps.get_models() if apps.ready else ())
        if not model._meta.proxy and router.allow_migrate_model(alias, model)
    ]
    return Project(
        large_fields=tuple(_large_fields(models)),
        upload_limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        outside_requests=tuple(app for app in OUTSIDE_REQUESTS if _installed(app)),
        **_of_the_whole(alias),
        # The stock wrapper keeps it as an attribute; this package's engine needs no such look.
        open_at_startup=vars(connections[alias]).get("connection") is not None,
    )


def _of_the_whole(alias: str) -> dict[str, Any]:
    """Return what belongs to no alias; told with one of them only."""
    from django.conf import settings
    from django.db import DEFAULT_DB_ALIAS, connections

    if alias != DEFAULT_DB_ALIAS and connections[DEFAULT_DB_ALIAS].vendor == "mysql":
        return {}
    code = scan(_own_folders())
    return {
        "strays": tuple(in_settings(_own_settings(settings), settings.INSTALLED_APPS)),
        "remedies": code.remedies,
        "pins": code.pins,
    }


def _own_settings(settings: Any) -> list[str]:
    """Return the names that the project's settings set themselves."""
    return [name for name in dir(settings) if name.isupper() and settings.is_overridden(name)]


_NOT_OWN = re.compile(r"site-packages|dist-packages|[/\\]lib[/\\]python3|[/\\]django[/\\]contrib")


def _own_folders() -> tuple[str, ...]:
    """Return the folders of the project's own code: its apps', and that of its settings."""
    from django.apps import apps
    from django.conf import settings

    found = {Path(config.path) for config in (apps.get_app_configs() if apps.ready else ())}
    module = sys.modules.get(getattr(settings, "SETTINGS_MODULE", None) or "")
    if module is not None and getattr(module, "__file__", None):
        found.add(Path(str(module.__file__)).parent)
    own = sorted(path for path in found if not _NOT_OWN.search(str(path)) and not _ours(path))
    # A folder inside another one is read with it.
    return tuple(str(path) for path in own if not any(root in path.parents for root in own))


def _ours(path: Path) -> bool:
    package = Path(__file__).parents[2]
    return path == package or package in path.parents


def _installed(app: str) -> bool:
    from django.apps import apps

    return apps.ready and any(config.name == app for config in apps.get_app_configs())


def _large_fields(models: Iterable[type]) -> Iterable[Field]:
    for model in models:
        for field in model._meta.local_fields:  # type: ignore[attr-defined]
            if field.get_internal_type() in LARGE:
                yield Field(
                    name=f"{model._meta.label}.{field.name}",  # type: ignore[attr-defined]
                    kind=field.get_internal_type(),
                    limit=getattr(field, "max_length", None),
                )
