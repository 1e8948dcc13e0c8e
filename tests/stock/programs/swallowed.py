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
ALSO = ("", "hook", "late hook", "more", "late rollback", "by hand", "comments", "undone")


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
    also: str
    """What else happens: a hook of the outermost block, or one of him who has caught it; one more
    statement of his; a rollback that he wants; a savepoint by hand that nobody releases; a comment
    after each statement; an inner block that has failed before."""
    believed: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    wanted: bool = False
    """Whether its author rolls back the block that he is in."""

    def __str__(self) -> str:
        def marks(flags: tuple[bool, ...]) -> str:
            return "".join("x" if flag else "-" for flag in flags)

        blocks = f"{marks(self.savepoints)}/{marks(self.writes)}"
        return f"{blocks} {self.shows}, caught in {self.caught_in}; {self.also}"

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
            with connections[NAME].execute_wrapper(self.commented):
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
            self.wanted = not savepoint

    def body(self, number: int) -> None:
        if number == 0:
            self.begin()
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
        if number == self.caught_in:
            self.go_on()

    def begin(self) -> None:
        if self.also == "undone":
            self.undone()
        elif self.also == "by hand":
            transaction.savepoint(NAME)
        elif self.also == "hook":
            self.hook()

    def go_on(self) -> None:
        if self.also == "more":
            self.write("more")
        elif self.also == "late hook":
            self.hook()
        elif self.also == "late rollback":
            self.roll_back()

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
            self.roll_back()

    def commented(self, execute: Any, sql: str, *rest: Any) -> Any:
        also = " /*app='a', route='x y'*/" if self.also == "comments" else ""
        return execute(sql + also, *rest)

    def undone(self) -> None:
        """A block fails that has looked at the driver's connection before it wrote."""
        before = list(self.believed)
        with suppress(ValueError), transaction.atomic(NAME):
            connections[NAME].connection.thread_id()
            self.write("undone")
            raise ValueError
        self.believed = before

    def roll_back(self) -> None:
        transaction.set_rollback(True, NAME)
        self.wanted = True

    def hook(self) -> None:
        transaction.on_commit(lambda: self.ran.append("hook"), using=NAME)
        self.believed.append("hook")

    def write(self, tag: str) -> None:
        run(NAME, "INSERT INTO note (tag) VALUES (%s)", [tag])
        self.believed.append(tag)


def cells() -> Iterator[Cell]:
    """All of them."""
    for depth in (1, 2, 3):
        flags = (False, True)
        for savepoints, writes, caught_in, shows, also in itertools.product(
            itertools.product(flags, repeat=depth - 1),
            itertools.product(flags, repeat=depth),
            range(depth),
            SHOWS,
            ALSO,
        ):
            yield Cell(savepoints, writes, caught_in, shows, also)


def judged(cell: Cell) -> dict[str, Any]:
    heard = cell.go()
    stored = sorted(tag for (tag,) in admin("SELECT tag FROM note"))
    if stored:
        admin("DELETE FROM note")
    done = {*stored, *cell.ran}
    return {
        "heard": heard,
        "marked": cell.marked,
        "missing": sorted(set(cell.believed) - done),
        "undone": sorted(done - set(cell.believed)),
    }


NAME = alias()
run(NAME, TABLE)
admin("DELETE FROM note")
chosen = random.Random(os.environ["SEED"])
part = float(os.environ["PART"])
say({str(cell): judged(cell) for cell in cells() if chosen.random() < part})
