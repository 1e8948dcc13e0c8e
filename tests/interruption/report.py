"""The page of what the interruptions found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from lifeline_lab.last_run import last_run
from tests.fixtures.programs import ROOT
from tests.interruption.sweep import Arm, Found, summary

PAGE = ROOT / "docs" / "results" / "interruption.md"
BEGIN, END = "<!-- enumerated: begin -->", "<!-- enumerated: end -->"


@dataclass(frozen=True)
class Cell:
    """One arm with one driver on one server."""

    flavour: str
    version: str
    driver: str
    arm: Arm
    one_in: int
    """Only one in so many interruptions was carried out."""
    found: Found

    def __str__(self) -> str:
        return f"{self.flavour}, {self.driver}, {self.arm}"


def write_page(cells: list[Cell], versions: Mapping[str, str], seed: int) -> None:
    """Put the figures between the two marks of the page; the rest of it is written by hand."""
    text = PAGE.read_text()
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    PAGE.write_text(f"{head}{BEGIN}\n\n{figures(cells, versions, seed)}\n{END}{tail}")


def figures(cells: list[Cell], versions: Mapping[str, str], seed: int) -> str:
    """The tables, as Markdown."""
    servers = {cell.flavour: cell.version for cell in cells}
    total = sum(cell.found.struck for cell in cells)
    violations = sum(len(cell.found.violations) for cell in cells)
    return "\n".join(
        [
            last_run({**versions, **servers}),
            "",
            f"{total} interruptions, {violations} violations. {_share(cells, seed)}",
            "",
            *_arms(cells),
            "",
            *_files(cells),
            "",
            *_violations(cells),
        ]
    )


def _share(cells: list[Cell], seed: int) -> str:
    if all(cell.one_in == 1 for cell in cells):
        return "Each step was tried."
    return f"Where not all steps were tried, chance chose them (seed {seed})."


def _arms(cells: list[Cell]) -> list[str]:
    rows = [
        f"| {cell.arm} | {cell.driver} | {cell.flavour} | {cell.found.struck} "
        f"| {_part(cell)} | {cell.found.dropped} | {len(cell.found.violations)} |"
        for cell in cells
    ]
    head = (
        "| what breaks in | driver | server | interruptions | of all | in finalizers | violations |"
    )
    return [head, "|---|---|---|---|---|---|---|", *rows]


def _part(cell: Cell) -> str:
    return "all" if cell.one_in == 1 else f"1 in {cell.one_in}"


def _files(cells: list[Cell]) -> list[str]:
    drivers = list(dict.fromkeys((cell.driver, cell.arm.gevent) for cell in cells))
    steps: dict[tuple[str, bool], Counter[str]] = {}
    for cell in cells:
        steps[cell.driver, cell.arm.gevent] = cell.found.files
    names = sorted({name for files in steps.values() for name in files})
    titles = [f"{driver}{', gevent' if gevent else ''}" for driver, gevent in drivers]
    rows = [
        f"| `{name}` | " + " | ".join(str(steps[key][name]) for key in drivers) + " |"
        for name in names
    ]
    return [
        f"| steps by file | {' | '.join(titles)} |",
        f"|---|{'---|' * len(titles)}",
        *rows,
    ]


def _violations(cells: list[Cell]) -> list[str]:
    found = [f"{cell}:\n\n{_listed(cell.found)}\n" for cell in cells if cell.found.violations]
    return found or ["No law was broken."]


def _listed(found: Found) -> str:
    return "\n".join(f"* {line}" for line in summary(found.violations).splitlines())
