"""The matrix as a Markdown table, short enough for a README: one row for each scenario."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from lifeline_lab.arms import ARMS
from lifeline_lab.cell import Result
from lifeline_lab.judges import Kind
from lifeline_lab.last_run import last_run
from lifeline_lab.report import NAMES, arm_title
from lifeline_lab.scenarios import all_scenarios
from lifeline_lab.terminal import sentences

MANY_LABELS = 3
LABEL_BREAK = re.compile(r", (?!'')")
"""Between two labels; PyMySQL's ``(0, '')`` is one."""


def as_markdown(results: Iterable[Result], used: Mapping[str, str]) -> str:
    """Return the summary, the table, and what it was measured with."""
    listed = list(results)
    arms = [arm for arm in ARMS if any(result.cell.arm == arm for result in listed)]
    lines = [
        " ".join(sentences(listed)),
        "",
        "| situation | " + " | ".join(arm_title(arm) for arm in arms) + " |",
        "|---|" + "---|" * len(arms),
    ]
    order = list(all_scenarios())
    listed.sort(key=lambda result: order.index(result.cell.scenario.name))
    titles = {result.cell.scenario.name: result.cell.scenario.title for result in listed}
    for name, title in titles.items():
        row = [result for result in listed if result.cell.scenario.name == name]
        cells = [summarise([r for r in row if r.cell.arm == arm]) for arm in arms]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    servers = ", ".join(NAMES[name] for name in sorted({result.cell.server for result in listed}))
    drivers = ", ".join(sorted({result.cell.driver for result in listed}))
    lines += [
        "",
        f"Each cell sums up {servers} with {drivers}.",
        "",
        last_run(used),
    ]
    return "\n".join(lines) + "\n"


def summarise(results: list[Result]) -> str:
    """Return one cell for all servers and drivers: how many survived, and what broke the rest."""
    if not results:
        return ""
    survived = sum(result.verdict.kind is Kind.SURVIVED for result in results)
    if survived == len(results):
        return "✓"
    parts = [
        part
        for result in results
        if result.verdict.kind is not Kind.SURVIVED
        for part in LABEL_BREAK.split(result.verdict.label)
    ]
    labels = list(dict.fromkeys(parts))
    text = ", ".join(labels[:MANY_LABELS]) + (" …" if len(labels) > MANY_LABELS else "")
    some = f" ({len(results) - survived} of {len(results)})" if survived else ""
    return f"✗ {text}{some}".replace("|", "\\|")
