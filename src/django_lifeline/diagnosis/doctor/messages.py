"""Findings as Django's check messages: for ``manage.py check`` and ``migrate``.

Only warnings and what is graver: a check that always says something is a check nobody reads.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.core.checks import ERROR, WARNING, CheckMessage

from django_lifeline.diagnosis.doctor.facts import Facts
from django_lifeline.diagnosis.doctor.finding import Finding, Level
from django_lifeline.diagnosis.doctor.gather import patient_of, project_of, today
from django_lifeline.diagnosis.doctor.rules import RULES, examine
from django_lifeline.diagnosis.doctor.server import read_server


def settings_messages(wrapper: Any) -> list[CheckMessage]:
    """Return what the settings and the project alone tell; no database is asked."""
    return _messages(_facts(wrapper))


def server_messages(wrapper: Any) -> list[CheckMessage]:
    """Ask the server through *wrapper*; return what that adds to `settings_messages`."""

    def ask(sql: str) -> list[tuple[Any, ...]]:
        with wrapper.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    facts = _facts(wrapper)
    known = {message.id for message in _messages(facts)}
    asked = replace(facts, server=read_server(ask))
    return [message for message in _messages(asked) if message.id not in known]


def _facts(wrapper: Any) -> Facts:
    patient = patient_of(wrapper)
    return Facts(settings=patient.settings, project=project_of(patient), today=today())


def _messages(facts: Facts) -> list[CheckMessage]:
    told = {rule.id for rule in RULES if rule.as_check}
    return [
        _message(finding)
        for finding in examine(facts)
        if finding.id in told and finding.level >= Level.WARNING
    ]


def _message(finding: Finding) -> CheckMessage:
    # Django refuses to run commands at an error: only an option that makes connecting impossible
    # is worth that.
    level = ERROR if finding.id.startswith("lifeline.E") else WARNING
    where = "" if finding.what.startswith(finding.where) else f"{finding.where}: "
    lines = finding.change.splitlines()
    mark = "; " if all(line.startswith("#") for line in lines) else " "
    change = mark.join(line.removeprefix("# ") for line in lines)
    return CheckMessage(
        level, where + finding.what, hint=f"{change} ({finding.page})", id=finding.id
    )
