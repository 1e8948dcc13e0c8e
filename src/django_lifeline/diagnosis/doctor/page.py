"""The report as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template

from django_lifeline.diagnosis.doctor.finding import Finding, Level
from django_lifeline.diagnosis.doctor.report import NOTHING, Examination, Report, processes
from django_lifeline.diagnosis.saying import Translate
from django_lifeline.diagnosis.style import style
from django_lifeline.diagnosis.text import N_

TEMPLATE = Path(__file__).with_name("page.html")
CLASSES = {Level.CRITICAL: "bad", Level.ERROR: "bad", Level.WARNING: "odd", Level.INFO: "note"}
WORDS = {
    Level.CRITICAL: N_("fails now"),
    Level.ERROR: N_("will fail"),
    Level.WARNING: N_("may fail"),
    Level.INFO: N_("to know"),
}
LABELS = {
    "title": N_("django-lifeline doctor"),
    "question": N_("Will the database go away?"),
    "running": N_("Processes"),
    "examined": N_("Examined"),
    "maker": N_("Made by"),
    "harmless": N_("Nothing was changed."),
}


def as_html(report: Report, made: datetime) -> str:
    """Return the page; ``made`` is the time that it shows."""
    worst = max((finding.level for finding in report.findings), default=Level.INFO)
    t = report.translate
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        {name: escape(t(text)) for name, text in LABELS.items()},
        lang={"zh-hans": "zh-Hans"}.get(report.lang, report.lang),
        style=style(),
        state=CLASSES[worst].replace("note", "good"),
        summary=escape(report.summary),
        made=f"{made:%Y-%m-%d %H:%M}",
        processes=escape(processes(report) or t(N_("not known, so not added up"))),
        unread=_unread(report.unread, t),
        databases="\n".join(_database(one, t) for one in report.examinations),
    )


def write_html(path: Path, report: Report, made: datetime) -> None:
    """Write the page, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_html(report, made), encoding="utf-8")


def _database(one: Examination, t: Translate) -> str:
    found = "\n".join(_finding(finding, t) for finding in one.findings)
    return (
        f"<h2>{escape(t(one.facts.settings.where))}</h2>\n"
        f"<p class='soft'>{escape(one.heading.told(t))}</p>\n"
        f"{found or f'<p>{escape(t(NOTHING))}</p>'}"
    )


def _finding(finding: Finding, t: Translate) -> str:
    kind = CLASSES[finding.level]
    numbers = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(_value(value, t))}</dd>"
        for name, value in finding.numbers.items()
    )
    return f"""<article class="card {kind}">
<header><span class="mark {kind}">{t(WORDS[finding.level])}</span>
<h3>{escape(finding.title)}</h3><code>{finding.id}</code></header>
<p>{escape(finding.what)}</p>
<p class="soft">{escape(finding.why)}</p>
<pre>{_change(finding.change)}</pre>
<details><summary>{t(N_("Figures and documentation"))}</summary>
<dl>{numbers}</dl><p><a href="{escape(finding.page)}">{escape(finding.page)}</a></p></details>
</article>"""


def _change(change: str) -> str:
    return "\n".join(
        f"<i>{escape(line)}</i>" if line.startswith("#") else escape(line)
        for line in change.splitlines()
    )


def _value(value: object, t: Translate) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or t(N_("none"))
    return t(N_("none")) if value is None else str(value)


def _unread(lines: Iterable[str], t: Translate) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>{t(N_('Not read'))}</h2><ul>{items}</ul>" if items else ""
