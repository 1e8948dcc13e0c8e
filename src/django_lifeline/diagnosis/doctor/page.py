"""The report as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template

from django_lifeline.diagnosis.doctor.finding import Finding, Level
from django_lifeline.diagnosis.doctor.report import Examination, Report, processes
from django_lifeline.diagnosis.style import style

TEMPLATE = Path(__file__).with_name("page.html")
CLASSES = {Level.CRITICAL: "bad", Level.ERROR: "bad", Level.WARNING: "odd", Level.INFO: "note"}
WORDS = {
    Level.CRITICAL: "fails now",
    Level.ERROR: "will fail",
    Level.WARNING: "may fail",
    Level.INFO: "to know",
}


def as_html(report: Report, made: datetime) -> str:
    """Return the page; ``made`` is the time that it shows."""
    worst = max((finding.level for finding in report.findings), default=Level.INFO)
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        style=style(),
        state=CLASSES[worst].replace("note", "good"),
        summary=escape(report.summary),
        made=f"{made:%Y-%m-%d %H:%M}",
        processes=escape(processes(report) or "not known, so not added up"),
        unread=_unread(report.unread),
        databases="\n".join(_database(one) for one in report.examinations),
    )


def write_html(path: Path, report: Report, made: datetime) -> None:
    """Write the page, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_html(report, made), encoding="utf-8")


def _database(one: Examination) -> str:
    found = "\n".join(_finding(finding) for finding in one.findings)
    return (
        f"<h2>{escape(one.facts.settings.where)}</h2>\n"
        f"<p class='soft'>{escape(one.heading)}</p>\n"
        f"{found or '<p>Nothing was found.</p>'}"
    )


def _finding(finding: Finding) -> str:
    kind = CLASSES[finding.level]
    numbers = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(_value(value))}</dd>"
        for name, value in finding.numbers.items()
    )
    return f"""<article class="card {kind}">
<header><span class="mark {kind}">{WORDS[finding.level]}</span>
<h3>{escape(finding.title)}</h3><code>{finding.id}</code></header>
<p>{escape(finding.what)}</p>
<p class="soft">{escape(finding.why)}</p>
<pre>{_change(finding.change)}</pre>
<details><summary>Figures and documentation</summary>
<dl>{numbers}</dl><p><a href="{escape(finding.page)}">{escape(finding.page)}</a></p></details>
</article>"""


def _change(change: str) -> str:
    return "\n".join(
        f"<i>{escape(line)}</i>" if line.startswith("#") else escape(line)
        for line in change.splitlines()
    )


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _unread(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>Not read</h2><ul>{items}</ul>" if items else ""
