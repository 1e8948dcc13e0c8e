"""What the doctor has to say about all databases, and the same as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django_lifeline.diagnosis.doctor.facts import Facts, Layout, Service
from django_lifeline.diagnosis.doctor.finding import Finding, Level
from django_lifeline.diagnosis.doctor.rules import examine

FORMAT = 1
"""The version of the JSON; it changes when a key goes or gets another meaning."""


@dataclass(frozen=True, slots=True)
class Examination:
    """One database: what is known of it, and what was found."""

    facts: Facts
    findings: tuple[Finding, ...]

    @property
    def heading(self) -> str:
        """What was examined, in a line."""
        settings, server = self.facts.settings, self.facts.server
        driver = ".".join(map(str, settings.driver.version))
        what = server.name if server else "a server that does not answer"
        return f"{settings.engine} with {settings.driver.name} {driver}, {what} at " + (
            settings.address
        )


@dataclass(frozen=True, slots=True)
class Report:
    """Everything, ready to be shown."""

    examinations: tuple[Examination, ...]
    layout: Layout | None

    @property
    def findings(self) -> list[Finding]:
        """All findings of all databases, gravest first."""
        every = [finding for one in self.examinations for finding in one.findings]
        return sorted(every, key=lambda finding: -finding.level)

    @property
    def summary(self) -> str:
        """How many there are of each level, in a sentence."""
        counts = dict.fromkeys(reversed(Level), 0)
        for finding in self.findings:
            counts[finding.level] += 1
        told = [_count(number, level) for level, number in counts.items() if number]
        return f"{', '.join(told)}." if told else "Nothing was found."

    @property
    def unread(self) -> list[str]:
        """What could not be read, and why."""
        services = self.layout.services if self.layout else ()
        told = [f"{service.source}: {line}" for service in services for line in service.unread]
        for one in self.examinations:
            told += [f"{one.facts.settings.where}: {line}" for line in _unasked(one.facts)]
        return told

    def reaches(self, level: Level | None) -> bool:
        """Return whether anything found is at least that grave; None: nothing is."""
        return level is not None and any(finding.level >= level for finding in self.findings)


def make_report(every: Sequence[Facts], layout: Layout | None) -> Report:
    """Apply the rules to the facts of each database."""
    return Report(tuple(Examination(facts, tuple(examine(facts))) for facts in every), layout)


def as_json(report: Report) -> dict[str, Any]:
    """Return everything as plain values."""
    return {
        "format": FORMAT,
        "summary": report.summary,
        "processes": [describe(service) for service in _services(report)],
        "instances": report.layout.instances if report.layout else 1,
        "unread": report.unread,
        "databases": [
            {
                "alias": one.facts.settings.alias,
                "where": one.facts.settings.where,
                "engine": one.facts.settings.engine,
                "driver": one.facts.settings.driver.name,
                "address": one.facts.settings.address,
                "server": one.facts.server.name if one.facts.server else None,
                "findings": [_finding(finding) for finding in one.findings],
            }
            for one in report.examinations
        ],
    }


def describe(service: Service) -> str:
    """Say in a few words what a service runs."""
    each = (
        f"{service.greenlets} greenlets ({service.hub})"
        if service.hub
        else f"{service.threads} thread{'s' * (service.threads != 1)}"
    )
    asgi = ", ASGI: more threads as requests need them" if service.asynchronous else ""
    return f"{service.kind} ({service.source}): {service.processes} × {each}{asgi}"


def processes(report: Report) -> str:
    """Say what runs, in a line; empty where nothing is known."""
    told = "; ".join(describe(service) for service in _services(report))
    many = report.layout.instances if report.layout else 1
    return f"{told}; all of it {many} times" if told and many > 1 else told


def _services(report: Report) -> tuple[Service, ...]:
    return report.layout.services if report.layout else ()


def _unasked(facts: Facts) -> tuple[str, ...]:
    return facts.server.unread if facts.server else ()


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "level": finding.level.name.lower(),
        "title": finding.title,
        "what": finding.what,
        "numbers": dict(finding.numbers),
        "why": finding.why,
        "change": finding.change,
        "docs": finding.page,
    }


def _count(number: int, level: Level) -> str:
    name = {Level.INFO: "note", Level.CRITICAL: "critical finding"}.get(level, level.name.lower())
    return f"{number} {name}{'s' * (number != 1)}"
