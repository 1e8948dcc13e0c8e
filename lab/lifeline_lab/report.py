"""The report: one HTML file that needs nothing else, and the same as JSON."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from html import escape
from importlib import metadata
from pathlib import Path
from string import Template
from typing import Any

from django_lifeline.diagnosis.style import style
from lifeline_lab.arms import ARMS, DRIVERS, LIFELINE
from lifeline_lab.cell import Result
from lifeline_lab.drawing import draw
from lifeline_lab.history import Event
from lifeline_lab.judges import Kind
from lifeline_lab.runner import Group, groups, succeeded
from lifeline_lab.scenario import Scenario
from lifeline_lab.scenarios import all_scenarios
from lifeline_lab.terminal import sentences

TEMPLATE = Path(__file__).parent / "report.html"
PACKAGES = ("Django", "django-lifeline", "mysqlclient", "PyMySQL", "gevent", "gunicorn", "uvicorn")
NAMES = {
    "mariadb": "MariaDB",
    "mysql": "MySQL",
    "mysqlclient": "mysqlclient",
    "pymysql": "PyMySQL",
    "yours": "your server",
}
MEANINGS = {
    "2006": "the statement could not be sent: MySQL server has gone away",
    "2013": "the connection was lost before the whole answer came",
    "4031": "MySQL closed the session because it was idle for too long",
    "1040": "the server has no connection to spare",
    "2014": "commands out of sync: an earlier answer is still under way",
    "(0, '')": "PyMySQL's InterfaceError for a connection that is closed",
    "ValueError": "the answer was another process's, and Django could not read it",
    "500": "the visitor got an error page",
}
CLASSES = {
    Kind.SURVIVED: "good",
    Kind.BROKEN: "bad",
    Kind.PROGRAM_BROKEN: "odd",
    Kind.LAB_ERROR: "odd",
    Kind.SKIPPED: "none",
}
MOST_LINES = 40
LONG = 14


def versions(results: Iterable[Result]) -> dict[str, str]:
    """Return the versions of all that took part."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    for result in results:
        if result.server_version:
            found[NAMES.get(result.cell.server, result.cell.server)] = result.server_version
    return found


def as_json(results: Iterable[Result], used: Mapping[str, str]) -> dict[str, Any]:
    """Return everything as plain values."""
    listed = list(results)
    return {
        "succeeded": succeeded(listed),
        "versions": dict(used),
        "cells": [_cell_as_json(result) for result in listed],
    }


def _cell_as_json(result: Result) -> dict[str, Any]:
    cell = result.cell
    return {
        "scenario": cell.scenario.name,
        "server": cell.server,
        "driver": cell.driver,
        "arm": cell.arm,
        "must_break": cell.must_break,
        "verdict": result.verdict.kind.value,
        "label": result.verdict.label,
        "why": result.verdict.why,
        "as_wanted": result.as_wanted,
        "seconds": round(result.seconds, 3),
        "history": [asdict(event) for event in result.history],
    }


def write_html(path: Path, results: Iterable[Result], used: Mapping[str, str]) -> None:
    """Write the report, making its folder. The one before stays until this one is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(as_html(results, used), encoding="utf-8")
    draft.replace(path)


def as_html(results: Iterable[Result], used: Mapping[str, str]) -> str:
    """Return the whole page."""
    listed = list(results)
    found = groups(listed)
    scenarios = _scenarios(found)
    shape = _Shape(
        tuple(arm for arm in ARMS if any(result.cell.arm == arm for result in listed)),
        tuple(sorted({result.cell.server for result in listed})),
    )
    by_name = {name: [g for g in found if g.scenario.name == name] for name in scenarios}
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        style=style(),
        state="good" if succeeded(listed) else "bad",
        summary=" ".join(escape(line) for line in sentences(listed)),
        versions="".join(
            f"<li><span>{escape(name)}</span> {escape(value)}</li>" for name, value in used.items()
        ),
        heads=_heads(shape),
        bodies=_tables(by_name, shape),
        meanings=_meanings(listed),
        timelines="".join(
            _section(scenario, by_name[name]) for name, scenario in scenarios.items()
        ),
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    """The matrix's columns: each arm on each server."""

    arms: tuple[str, ...]
    servers: tuple[str, ...]


def _heads(shape: _Shape) -> str:
    span = f'colspan="{len(shape.servers)}"'
    arms = "".join(
        f"<th scope=colgroup {span}{_column(arm)}>{escape(arm_title(arm))}</th>"
        for arm in shape.arms
    )
    servers = "".join(
        f"<th scope=col{_column(arm)}>{escape(NAMES[server])}</th>"
        for arm in shape.arms
        for server in shape.servers
    )
    return (
        f"<tr><th scope=col rowspan=2>Situation</th><th scope=col rowspan=2>Driver</th>{arms}</tr>"
        f"<tr>{servers}</tr>"
    )


def _scenarios(found: Iterable[Group]) -> dict[str, Scenario]:
    known = {group.scenario.name: group.scenario for group in found}
    order = list(all_scenarios())
    places = {name: order.index(name) if name in order else len(order) for name in known}
    return {name: known[name] for name in sorted(known, key=lambda name: places[name])}


def arm_title(arm: str) -> str:
    """Return an arm's name for readers."""
    return {
        "stock": "Django",
        "stock-persistent": "Django, persistent",
        "stock-health": "Django, health checks",
        "lifeline": "django-lifeline",
    }[arm]


def _tables(by_name: dict[str, list[Group]], shape: _Shape) -> str:
    """Return one table body for each cause."""
    causes: dict[str, list[list[Group]]] = {}
    for found in by_name.values():
        causes.setdefault(found[0].scenario.cause, []).append(found)
    width = 2 + len(shape.arms) * len(shape.servers)
    return "".join(
        f'<tbody><tr class=cause><th scope=colgroup colspan="{width}">{escape(cause)}</th></tr>'
        f"{''.join(_rows(found, shape) for found in every)}</tbody>"
        for cause, every in causes.items()
    )


def _rows(found: list[Group], shape: _Shape) -> str:
    """Return a scenario's rows, one for each driver."""
    scenario = found[0].scenario
    drivers = [name for name in DRIVERS if any(group.driver == name for group in found)]
    head = (
        f'<th scope=rowgroup rowspan="{len(drivers)}"><a href="#{scenario.name}">'
        f"{escape(scenario.title)}</a><small>{escape(scenario.place)}</small></th>"
    )
    rows = []
    for driver in drivers:
        results = {
            (result.cell.arm, result.cell.server): result
            for group in found
            if group.driver == driver
            for result in group.results
        }
        cells = "".join(
            _cell(results.get((arm, server)), arm) for arm in shape.arms for server in shape.servers
        )
        rows.append(f"<tr>{head}<th scope=row class=driver>{NAMES[driver]}</th>{cells}</tr>")
        head = ""
    return "".join(rows)


def _column(arm: str) -> str:
    return ' class="ours"' if arm == LIFELINE.name else ""


def _cell(result: Result | None, arm: str) -> str:
    column = _column(arm)
    if result is None:
        return f"<td{column}>–</td>"
    verdict = result.verdict
    sign = {Kind.SURVIVED: "✓", Kind.BROKEN: "✗"}.get(verdict.kind, "!")
    unproven = result.cell.must_break and verdict.kind is Kind.SURVIVED
    css = "odd" if unproven else CLASSES[verdict.kind]
    css += " long" if len(verdict.label) > LONG else ""
    note = "<small>proves nothing</small>" if unproven else ""
    return (
        f'<td{column}><span class="mark {css}" title="{escape(verdict.why)}">{sign} '
        f"{escape(verdict.label)}</span>{note}</td>"
    )


def _meanings(results: list[Result]) -> str:
    labels = " ".join(result.verdict.label for result in results)
    return "".join(
        f"<dt>{escape(code)}</dt><dd>{escape(meaning)}</dd>"
        for code, meaning in MEANINGS.items()
        if code in labels
    )


def _section(scenario: Scenario, found: list[Group]) -> str:
    shown = _shown(found)
    where = f"{NAMES.get(shown.server, shown.server)}, {NAMES[shown.driver]}"
    figures = "".join(_figure(result) for result in _pair(shown))
    return (
        f'<section id="{scenario.name}"><h3>{escape(scenario.title)}</h3>'
        f"<p>{escape(scenario.story)}</p><p class=tags><span>{escape(scenario.place)}</span>"
        f"<span>{escape(scenario.cause)}</span><span>shown: {escape(where)}</span>"
        f"<span>{escape(' '.join(scenario.program))}</span></p>"
        f"<div class=pair>{figures}</div></section>"
    )


def _shown(found: list[Group]) -> Group:
    """Choose the place to draw: one where stock breaks, if there is any."""
    broken = [
        group
        for group in found
        if any(r.cell.must_break and r.verdict.kind is Kind.BROKEN for r in group.results)
    ]
    return min(broken or found, key=lambda group: (group.server, group.driver))


def _pair(group: Group) -> list[Result]:
    """Choose the arms to draw: the plainest stock arm that breaks, and ours."""
    order = list(ARMS)
    stock = [result for result in group.results if result.cell.arm != LIFELINE.name]
    stock.sort(key=lambda result: (not result.cell.must_break, order.index(result.cell.arm)))
    mine = [result for result in group.results if result.cell.arm == LIFELINE.name]
    return stock[:1] + mine


def _figure(result: Result) -> str:
    title = arm_title(result.cell.arm)
    verdict = result.verdict
    drawing = draw(result.history, f"{title}: {verdict.why}") if result.history else ""
    return (
        f"<figure><figcaption><strong>{escape(title)}</strong> "
        f'<span class="mark {CLASSES[verdict.kind]}">{escape(verdict.label)}</span>'
        f"<small>{escape(verdict.why)}</small></figcaption>{drawing}"
        f"<details><summary>As text</summary><ol>{_lines(result.history)}</ol></details></figure>"
    )


def _lines(history: tuple[Event, ...]) -> str:
    told = [event for event in history if event.event != "start"]
    zero = told[0].t if told else 0.0
    lines = [f"<li>{escape(_line(event, event.t - zero))}</li>" for event in told[:MOST_LINES]]
    if len(told) > MOST_LINES:
        lines.append(f"<li>… and {len(told) - MOST_LINES} more</li>")
    return "".join(lines)


def _line(event: Event, since: float) -> str:
    facts = event.facts
    words = f"{since:.3f} s  {event.event}"
    if event.op:
        words += f": {event.op}"
    if "session" in facts:
        words += f" {facts['session']}"
    if "text" in facts:
        words += f" – {facts.get('error', '')} {facts['text']}"
    return words
