"""Work with autocommit off, in which the session is killed once, and the usual handler of errors.

Every order of a few steps. Whoever hears an error rolls back, and closes where that fails too.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress

from django.db import Error, connections, transaction
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import TABLE, alias, kill, piece_of_work_ends, run, say

LENGTH = 5


class Work:
    """One order of steps, and what its author takes for stored."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.mine = connections[name]
        self.pending: list[str] = []
        self.believed: list[str] = []
        self.numbers = itertools.count()
        self.errors = 0

    def go(self, order: str) -> list[object]:
        for step in order:
            try:
                STEPS[step](self)
            except Error:
                self.errors += 1
                self.handle()
        self.end()
        try:
            self.write()
            self.commit()
        except Error as error:
            self.errors += 100  # the next piece of work is to be whole
            print(error)
        stored = sorted(tag for (tag,) in admin("SELECT tag FROM note"))
        admin("DELETE FROM note")
        self.mine.close()
        return [self.errors, stored == self.believed, self.mine.in_atomic_block]

    def handle(self) -> None:
        self.pending = []
        try:
            self.mine.rollback()
        except Error:
            self.mine.close()

    def write(self) -> None:
        tag = str(next(self.numbers))
        run(self.name, "INSERT INTO note (tag) VALUES (%s)", [tag])
        self.pending.append(tag)

    def read(self) -> None:
        run(self.name, "SELECT COUNT(*) FROM note")

    def commit(self) -> None:
        self.mine.commit()
        self.believed += self.pending
        self.pending = []

    def roll_back(self) -> None:
        self.mine.rollback()
        self.pending = []

    def block(self) -> None:
        with transaction.atomic(self.name):
            self.write()

    def without_savepoint(self) -> None:
        with transaction.atomic(self.name, savepoint=False):
            self.write()

    def die(self) -> None:
        if self.mine.connection is not None:
            with suppress(self.mine.Database.Error):  # it is dead already
                kill(self.mine.connection.thread_id())

    def end(self) -> None:
        piece_of_work_ends(self.name)


STEPS: dict[str, Callable[[Work], None]] = {
    "w": Work.write,
    "g": Work.read,
    "c": Work.commit,
    "r": Work.roll_back,
    "a": Work.block,
    "b": Work.without_savepoint,
    "x": Work.end,
    "k": Work.die,
}


def orders() -> Iterator[str]:
    """All with one ``k`` that is neither the first step nor the last."""
    others = [step for step in STEPS if step != "k"]
    for steps in itertools.product(others, repeat=LENGTH - 1):
        for at in range(1, LENGTH - 1):
            yield "".join((*steps[:at], "k", *steps[at:]))


chosen = random.Random(os.environ["SEED"])
part = float(os.environ["PART"])
name = alias(AUTOCOMMIT=False, CONN_MAX_AGE=None)
admin(TABLE)
admin("DELETE FROM note")
say({order: Work(name).go(order) for order in orders() if chosen.random() < part})
