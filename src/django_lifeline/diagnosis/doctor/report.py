"""What the doctor has to say about all databases, and the same as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django_lifeline.diagnosis.doctor.facts import Facts, Layout, Service
from django_lifeline.diagnosis.doctor.finding import Finding, Level
from django_lifeline.diagnosis.doctor.rules import examine
from django_lifeline.diagnosis.saying import (
    Said,
    Sayable,
    Translate,
    listed,
    say,
    sentences,
    tell,
    translator,
)
from django_lifeline.diagnosis.text import N_

FORMAT = 1
"""The version of the JSON; it changes when a key goes or gets another meaning."""


@dataclass(frozen=True, slots=True)
class Examination:
    """One database: what is known of it, and what was found."""

    facts: Facts
    findings: tuple[Finding, ...]

    @property
    def heading(self) -> Said:
        """What was examined, in a line."""
        settings, server = self.facts.settings, self.facts.server
        return say(
            N_("{engine} with {driver} {version}, {server} at {address}"),
            engine=settings.engine,
            driver=settings.driver.name,
            version=".".join(map(str, settings.driver.version)),
            server=server.name if server else say(N_("a server that does not answer")),
            address=settings.address,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """Everything, ready to be shown."""

    examinations: tuple[Examination, ...]
    layout: Layout | None
    lang: str = "en"

    @property
    def translate(self) -> Translate:
        """What puts texts into the report's language."""
        return translator(self.lang)

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
        told = listed(_count(number, level) for level, number in counts.items() if number)
        summary = say(N_("{counts}."), counts=told) if told.parts else say(NOTHING)
        return summary.told(self.translate)

    @property
    def unread(self) -> list[str]:
        """What could not be read, and why."""
        services = self.layout.services if self.layout else ()
        told: list[tuple[str, Sayable]]
        told = [(service.source, line) for service in services for line in service.unread]
        for one in self.examinations:
            told += [(one.facts.settings.where, line) for line in _unasked(one.facts)]
        t = self.translate
        return [
            say(N_("{where}: {what}"), where=t(where), what=tell(line, t)).told(t)
            for where, line in told
        ]

    def reaches(self, level: Level | None) -> bool:
        """Return whether anything found is at least that grave; None: nothing is."""
        return level is not None and any(finding.level >= level for finding in self.findings)


NOTHING = N_("Nothing was found.")


def make_report(every: Sequence[Facts], layout: Layout | None, lang: str = "en") -> Report:
    """Apply the rules to the facts of each database."""
    t = translator(lang)
    examined = tuple(Examination(facts, tuple(examine(facts, t))) for facts in every)
    return Report(examined, layout, lang)


def as_json(report: Report) -> dict[str, Any]:
    """Return everything as plain values."""
    return {
        "format": FORMAT,
        "summary": report.summary,
        "processes": [describe(service).told(report.translate) for service in _services(report)],
        "instances": report.layout.instances if report.layout else 1,
        "unread": report.unread,
        "databases": [
            {
                "alias": one.facts.settings.alias,
                "where": report.translate(one.facts.settings.where),
                "engine": one.facts.settings.engine,
                "driver": one.facts.settings.driver.name,
                "address": one.facts.settings.address,
                "server": one.facts.server.name if one.facts.server else None,
                "findings": [_finding(finding) for finding in one.findings],
            }
            for one in report.examinations
        ],
    }


def describe(service: Service) -> Said:
    """Say in a few words what a service runs."""
    if service.hub:
        each = say(N_("{count} greenlets ({hub})"), count=service.greenlets, hub=service.hub)
    else:
        threads = N_("{count} thread") if service.threads == 1 else N_("{count} threads")
        each = say(threads, count=service.threads)
    more = say(N_(", ASGI: more threads as requests need them")) if service.asynchronous else ""
    return say(
        N_("{kind} ({source}): {processes} × {each}{more}"),
        kind=say(service.kind),
        source=say(service.source),
        processes=service.processes,
        each=each,
        more=more,
    )


def processes(report: Report) -> str:
    """Say what runs, in a line; empty where nothing is known."""
    told: Sayable = sentences(describe(service) for service in _services(report))
    many = report.layout.instances if report.layout else 1
    if many > 1:
        told = say(N_("{all}; all of it {count} times"), all=told, count=many)
    return tell(told, report.translate) if _services(report) else ""


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


_COUNTED = {
    Level.CRITICAL: (N_("{count} critical finding"), N_("{count} critical findings")),
    Level.ERROR: (N_("{count} error"), N_("{count} errors")),
    Level.WARNING: (N_("{count} warning"), N_("{count} warnings")),
    Level.INFO: (N_("{count} note"), N_("{count} notes")),
}


def _count(number: int, level: Level) -> Said:
    return say(_COUNTED[level][number != 1], count=number)
