"""What the terminal shows: a line for every scenario, server and driver as soon as it is done."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TextIO

from lifeline_lab.cell import Cell, Result
from lifeline_lab.judges import Kind
from lifeline_lab.runner import Group, groups, ours

STYLES = {
    Kind.SURVIVED: "green",
    Kind.BROKEN: "red",
    Kind.PROGRAM_BROKEN: "bold magenta",
    Kind.LAB_ERROR: "bold yellow",
    Kind.SKIPPED: "dim",
}
WIDTH = 20


class Terminal:
    """Prints each group of arms when its last cell has ended; a progress bar where there is one.

    `heard` is called from one thread, that of the runner; `begins` from those that run cells.
    """

    def __init__(self, cells: list[Cell], arms: tuple[str, ...], out: TextIO | None = None) -> None:
        self.arms = arms
        self._out = out or sys.stdout
        self._wanted: dict[tuple[str, str, str], int] = {}
        for cell in cells:
            self._wanted[_key(cell)] = self._wanted.get(_key(cell), 0) + 1
        self._heard: dict[tuple[str, str, str], list[Result]] = {}
        self._live = _progress(self._out, len(cells))

    def running(self) -> AbstractContextManager[Any]:
        """Show the progress bar, if any, while the block runs."""
        return nullcontext() if self._live is None else self._live.progress

    def heading(self) -> None:
        """Print the column heads."""
        arms = "".join(f"{arm:<{WIDTH}}" for arm in self.arms)
        self._line(f"{'scenario':<24}{'server':<9}{'driver':<13}{arms}", "bold")

    def begins(self, cell: Cell) -> None:
        """Show that a cell runs now."""
        if self._live is not None:
            self._live.begins(cell)

    def heard(self, result: Result) -> None:
        """Take a result in; print its group when that was the last of it."""
        key = _key(result.cell)
        group = self._heard.setdefault(key, [])
        group.append(result)
        if self._live is not None:
            self._live.ended(result.cell)
        if len(group) == self._wanted[key]:
            self._group(groups(group)[0])

    def summary(self, results: Iterable[Result]) -> None:
        """Print what it comes to, and whatever is not as it should be."""
        listed = list(results)
        for result in listed:
            if not result.as_wanted:
                self._line(describe(result), "yellow")
        for line in sentences(listed):
            self._line(line, "bold")

    def say(self, text: str) -> None:
        """Print a line."""
        self._line(text, "")

    def _group(self, group: Group) -> None:
        by_arm = {result.cell.arm: result for result in group.results}
        head = f"{group.scenario.name:<24}{group.server:<9}{group.driver:<13}"
        cells = [(by_arm[arm], arm) for arm in self.arms if arm in by_arm]
        tail = "  proves nothing" if group.unbroken else ""
        if self._live is None:
            words = "".join(f"{_short(result):<{WIDTH}}" for result, _ in cells)
            self._line(f"{head}{words}{tail}".rstrip(), "")
            return
        from rich.text import Text

        line = Text(head)
        for result, _ in cells:
            line.append(f"{_short(result):<{WIDTH}}", STYLES[result.verdict.kind])
        line.append(tail, "bold yellow")
        self._live.print(line)

    def _line(self, text: str, style: str) -> None:
        if self._live is None:
            print(text, file=self._out, flush=True)
            return
        from rich.text import Text

        self._live.print(Text(text, style))


def describe(result: Result) -> str:
    """Say in a line what is wrong with a result."""
    cell = result.cell
    where = f"{cell.scenario.name}, {cell.server}, {cell.driver}, {cell.arm}"
    if cell.must_break and result.verdict.kind is Kind.SURVIVED:
        return f"proves nothing: {where} should have broken, and survived"
    return f"{result.verdict.kind.value}: {where}: {result.verdict.why}"


def sentences(results: list[Result]) -> list[str]:
    """Sum up: how ours did, how stock did, what proves nothing."""
    mine = ours(results)
    survived = sum(result.verdict.kind is Kind.SURVIVED for result in mine)
    due = [result for result in results if result.cell.must_break]
    broke = sum(result.verdict.kind is Kind.BROKEN for result in due)
    lines = []
    if mine:
        lines.append(f"django-lifeline survived {survived} of {len(mine)}.")
    if due:
        lines.append(f"Stock Django broke in {broke} of the {len(due)} cells where it had to.")
    return lines


def what_runs(cells: list[Cell]) -> str:
    """Name the scenarios of *cells*, each once, with the arms that run."""
    arms: dict[str, list[str]] = {}
    for cell in cells:
        of = arms.setdefault(cell.scenario.name, [])
        if cell.arm not in of:
            of.append(cell.arm)
    return ", ".join(f"{name} ({', '.join(of)})" for name, of in arms.items())


def _short(result: Result) -> str:
    label = result.verdict.label
    return label if len(label) < WIDTH else label[: WIDTH - 2] + "…"


def _key(cell: Cell) -> tuple[str, str, str]:
    return cell.scenario.name, cell.server, cell.driver


class _Live:
    """rich's progress bar: what runs, and how long it still takes; lines are printed above it."""

    def __init__(self, out: TextIO, total: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.table import Column

        self.progress = Progress(
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}", table_column=Column(no_wrap=True, ratio=1)),
            console=Console(file=out, soft_wrap=True),
            expand=True,
        )
        self._running: dict[int, Cell] = {}
        """By identity: a cell holds what cannot be hashed."""
        self._task = self.progress.add_task("", total=total)

    def begins(self, cell: Cell) -> None:
        self._running[id(cell)] = cell
        self._name_what_runs()

    def ended(self, cell: Cell) -> None:
        self._running.pop(id(cell), None)
        self.progress.advance(self._task)
        self._name_what_runs()

    def _name_what_runs(self) -> None:
        self.progress.update(self._task, description=what_runs(list(self._running.values())))

    def print(self, text: Any) -> None:
        self.progress.console.print(text, highlight=False)


def _progress(out: TextIO, total: int) -> _Live | None:
    if not out.isatty():
        return None
    try:
        return _Live(out, total)
    except ImportError:  # rich belongs to the lab extra; plain lines do as well
        return None
