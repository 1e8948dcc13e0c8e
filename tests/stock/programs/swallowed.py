"""A connection dies inside nested blocks, and somebody catches what is raised of it, or hides it.

Blocks, one within another; which of them have written; where the error is caught; and how the loss
shows. Then the author leaves what is left of them as if all were well.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from django.db import connections, transaction
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import TABLE, alias, kill, run, say, session_id

SHOWS = ("next statement", "next save", "own error", "end of a block", "rollback wanted")


@dataclass
class Cell:
    """One program, and what its author takes for stored and run."""

    savepoints: tuple[bool, ...]
    """Of the inner blocks, from outside: whether each has one."""
    writes: tuple[bool, ...]
    """Which of the blocks write before the next one begins."""
    caught_in: int
    """The number of the block in which an error is caught."""
    shows: str
    hooked: bool
    """Whether the outermost block has a hook."""
    goes_on: bool
    """Whether the one who has caught it runs one more statement."""
    believed: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    wanted: bool = False
    """Whether its author rolls back the block that he is in."""

    def __str__(self) -> str:
        def marks(flags: tuple[bool, ...]) -> str:
            return "".join("x" if flag else "-" for flag in flags)

        also = " hook" * self.hooked + " goes on" * self.goes_on
        blocks = f"{marks(self.savepoints)}/{marks(self.writes)}"
        return f"{blocks} {self.shows}, caught in {self.caught_in}{also}"

    @property
    def marked(self) -> bool:
        """Whether Django rolls the block back in which it is caught, whatever was raised.

        It says nothing of it: an error went through a block without a savepoint, or a save.
        """
        inner = self.savepoints[self.caught_in :]
        return not inner[0] if inner else self.shows == "next save"

    def go(self) -> str | None:
        """Run it; return the class of what its author hears of."""
        self.believed, self.ran, self.wanted = [], [], False
        try:
            self.block(0)
        except Exception as error:
            self.believed = []
            return type(error).__name__
        finally:
            connections[NAME].close()
        return None

    def block(self, number: int) -> None:
        before = list(self.believed)
        savepoint = number == 0 or self.savepoints[number - 1]
        try:
            with transaction.atomic(NAME, savepoint=savepoint):
                self.body(number)
        except Exception:
            self.believed = before
            raise
        if self.wanted:
            self.believed = before
            self.wanted = number == 0 or not savepoint

    def body(self, number: int) -> None:
        if number == 0 and self.hooked:
            transaction.on_commit(lambda: self.ran.append("hook"), using=NAME)
        if self.writes[number]:
            self.write(f"w{number}")
        elif number == 0:
            run(NAME, "SELECT COUNT(*) FROM note")
        with ExitStack() as stack:
            if number == self.caught_in:
                stack.enter_context(suppress(Exception))
            if number + 1 < len(self.writes):
                self.block(number + 1)
            else:
                self.die()
        if number == self.caught_in and self.goes_on:
            self.write("more")

    def die(self) -> None:
        kill(session_id(NAME))
        if self.shows == "next statement":
            self.write("lost")
        elif self.shows == "next save":
            with transaction.mark_for_rollback_on_error(NAME):
                self.write("lost")
        elif self.shows == "own error":
            raise ValueError
        elif self.shows == "rollback wanted":
            transaction.set_rollback(True, NAME)
            self.wanted = True

    def write(self, tag: str) -> None:
        run(NAME, "INSERT INTO note (tag) VALUES (%s)", [tag])
        self.believed.append(tag)


def cells() -> Iterator[Cell]:
    """All of them."""
    for depth in (1, 2, 3):
        flags = (False, True)
        for savepoints, writes, caught_in, shows, (hooked, goes_on) in itertools.product(
            itertools.product(flags, repeat=depth - 1),
            itertools.product(flags, repeat=depth),
            range(depth),
            SHOWS,
            ((False, False), (False, True), (True, False)),
        ):
            yield Cell(savepoints, writes, caught_in, shows, hooked, goes_on)


def judged(cell: Cell) -> dict[str, Any]:
    heard = cell.go()
    stored = sorted(tag for (tag,) in admin("SELECT tag FROM note"))
    if stored:
        admin("DELETE FROM note")
    missing = sorted(set(cell.believed) - set(stored))
    if heard is None and cell.hooked and not (cell.ran or cell.wanted):
        missing.append("hook")
    return {
        "heard": heard,
        "marked": cell.marked,
        "missing": missing,
        "undone": sorted(set(stored) - set(cell.believed)),
    }


NAME = alias()
run(NAME, TABLE)
admin("DELETE FROM note")
chosen = random.Random(os.environ["SEED"])
part = float(os.environ["PART"])
say({str(cell): judged(cell) for cell in cells() if chosen.random() < part})
