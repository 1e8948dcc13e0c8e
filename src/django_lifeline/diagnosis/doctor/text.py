"""The report for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django_lifeline.diagnosis.doctor.finding import WIDTH, Finding, Level
from django_lifeline.diagnosis.doctor.report import NOTHING, Report, processes
from django_lifeline.diagnosis.saying import Translate, say
from django_lifeline.diagnosis.text import N_, text_lines

STYLES = {
    Level.CRITICAL: "1;37;41",
    Level.ERROR: "1;31",
    Level.WARNING: "1;33",
    Level.INFO: "1;36",
}
NAMES = {
    Level.CRITICAL: N_("CRITICAL"),
    Level.ERROR: N_("ERROR"),
    Level.WARNING: N_("WARNING"),
    Level.INFO: N_("INFO"),
}
BOLD, FAINT = "1", "2"

Paint = Callable[[str, str], str]


def as_text(report: Report, *, coloured: bool) -> str:
    """Return the report as lines of at most `WIDTH` characters, changes apart."""
    paint: Paint = _coloured if coloured else _plain
    return "\n".join(_lines(report, paint)) + "\n"


def _lines(report: Report, paint: Paint) -> Iterator[str]:
    t = report.translate
    for one in report.examinations:
        yield paint(t(one.facts.settings.where), BOLD)
        yield from _wrapped(one.heading.told(t), "  ")
        yield ""
        for finding in one.findings:
            yield from _finding(finding, paint, t)
        if not one.findings:
            yield from (f"  {t(NOTHING)}", "")
    told = processes(report)
    running = say(N_("Processes: {processes}."), processes=told) if told else say(_NOT_COUNTED)
    yield from _wrapped(running.told(t), "")
    for line in report.unread:
        yield from _wrapped(say(N_("Not read: {what}."), what=line).told(t), "")
    yield paint(report.summary, BOLD)


_NOT_COUNTED = N_(
    "How many processes and threads there are is not known, so they were not added up: give "
    "--config FILE, or --processes and --threads."
)


def _finding(finding: Finding, paint: Paint, t: Translate) -> Iterator[str]:
    level = paint(f" {t(NAMES[finding.level])} ", STYLES[finding.level])
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
    return text_lines(text, WIDTH, indent, indent)


def _coloured(text: str, style: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m"


def _plain(text: str, style: str) -> str:
    return text
