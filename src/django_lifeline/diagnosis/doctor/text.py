"""The report for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator

from django_lifeline.diagnosis.doctor.finding import Finding, Level
from django_lifeline.diagnosis.doctor.report import Report, processes

WIDTH = 92
STYLES = {
    Level.CRITICAL: "1;37;41",
    Level.ERROR: "1;31",
    Level.WARNING: "1;33",
    Level.INFO: "1;36",
}
BOLD, FAINT = "1", "2"

Paint = Callable[[str, str], str]


def as_text(report: Report, *, coloured: bool) -> str:
    """Return the report as lines of at most `WIDTH` characters, changes apart."""
    paint: Paint = _coloured if coloured else _plain
    return "\n".join(_lines(report, paint)) + "\n"


def _lines(report: Report, paint: Paint) -> Iterator[str]:
    for one in report.examinations:
        yield paint(one.facts.settings.where, BOLD)
        yield from _wrapped(one.heading, "  ")
        yield ""
        for finding in one.findings:
            yield from _finding(finding, paint)
        if not one.findings:
            yield from ("  Nothing was found.", "")
    if told := processes(report):
        yield from _wrapped(f"Processes: {told}.", "")
    else:
        yield from _wrapped(
            "How many processes and threads there are is not known, so they were not added up: "
            "give --config FILE, or --processes and --threads.",
            "",
        )
    for line in report.unread:
        yield from _wrapped(f"Not read: {line}.", "")
    yield paint(report.summary, BOLD)


def _finding(finding: Finding, paint: Paint) -> Iterator[str]:
    level = paint(f" {finding.level.name} ", STYLES[finding.level])
    yield f"{level} {finding.id}  {paint(finding.title, BOLD)}"
    yield from _wrapped(finding.what, "  ")
    yield from _wrapped(finding.why, "  ")
    yield ""
    for line in finding.change.splitlines():
        # A line to copy is never wrapped.
        yield "    " + (paint(line, FAINT) if line.startswith("#") else line)
    yield ""
    yield "  " + paint(finding.page, FAINT)
    yield ""


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _coloured(text: str, style: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m"


def _plain(text: str, style: str) -> str:
    return text
