"""Runs a program with one engine and writes down what happened."""

from __future__ import annotations

import gc
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pymysql
from django.db import Error, connections
from django.db.models import Model

from tests.differential.actions import ACTIONS, FAULTS, STAGE, Place
from tests.differential.actor import Actor
from tests.differential.ground import IDS_APART, Ground, wait_until
from tests.differential.record import Record
from tests.differential.steps import Program, Step
from tests.differential.structure import CLEAN

SETTLING = CLEAN | {"next_borrower"}
"""Steps after which a session may end, which the server does in its own time."""


class Arm:
    """One engine, with its databases and the threads of the program that runs."""

    def __init__(self, name: str, ground: Ground, aliases: Mapping[str, str]) -> None:
        self.name = name
        self.ground = ground
        self.aliases = aliases
        self.hooks: list[str] = []
        self.actors: dict[str, Actor] = {}
        self.proxy: Any = None
        self.rivals: list[Any] = []

    @property
    def is_stock(self) -> bool:
        """Whether Django's own engine runs here."""
        return self.name == "stock"

    def run(
        self, program: Program, number: int, expected: Sequence[Record] | None = None
    ) -> list[Record]:
        """Run a program from its beginning; *expected* is what the other arm saw."""
        self.ground.start_over(number)
        self.hooks.clear()
        records = []
        try:
            for place, step in enumerate(program.steps):
                wanted = expected[place] if expected else None
                records.append(self._step(step, wanted))
            records.append(self._last(expected[-1] if expected else None))
        finally:
            self._clear()
        return records

    def actor(self, name: str) -> Actor:
        """The thread of that name, which starts when it is first needed."""
        if name not in self.actors:
            self.actors[name] = Actor(name)
        return self.actors[name]

    def _step(self, step: Step, expected: Record | None) -> Record:
        record = Record()
        if step.kind in FAULTS and self.is_stock:
            record.skipped = True
        elif step.kind in STAGE:
            self._stage(step, record)
        else:
            actor = self.actor(step.actor)
            actor.call(lambda: self._act(actor, step, record))
        self._look(record, expected, settle=step.kind in SETTLING)
        return record

    def _stage(self, step: Step, record: Record) -> None:
        place = Place(self, self.actor(step.actor), step.db)
        try:
            record.value = self.plain(ACTIONS[step.kind](place, *step.args))
        # From outside too one may have to wait for what the program holds.
        except (Error, pymysql.Error) as error:
            record.error, record.fate = told(error), fate_of(error)

    def _act(self, actor: Actor, step: Step, record: Record) -> None:
        if actor.skipping:
            record.skipped = True
            actor.skipping += {"enter": 1, "leave": -1}.get(step.kind, 0)
            return
        place = Place(self, actor, step.db)
        # A block is of the database in which it was entered, whichever the step names.
        left = actor.blocks[-1].using if step.kind == "leave" and actor.blocks else place.alias
        try:
            record.value = self.plain(ACTIONS[step.kind](place, *step.args))
        except Exception as error:
            record.error, record.fate = told(error), fate_of(error)
            self._leave_blocks(actor, error, step.leaves, record)
        record.flags_of = next(db for db, alias in self.aliases.items() if alias == left)
        wrapper = connections[left]
        record.flags = [
            wrapper.in_atomic_block,
            wrapper.needs_rollback,
            len(wrapper.savepoint_ids),
            len(wrapper.run_on_commit),
        ]

    def _leave_blocks(self, actor: Actor, error: Exception, number: int, record: Record) -> None:
        for _ in range(min(number, len(actor.blocks))):
            actor.skipping += 1
            try:
                actor.blocks.pop().__exit__(type(error), error, error.__traceback__)
            except Exception as another:
                error = another
                record.fate = record.fate or fate_of(another)
            record.exits.append(told(error))

    def _look(self, record: Record, expected: Record | None, *, settle: bool) -> None:
        record.hooks, self.hooks[:] = list(self.hooks), []
        if settle and self.is_stock:
            self.ground.wait_for_sessions(self._open_connections())
        record.stored = self.ground.stored()
        record.held = self.ground.held()
        if expected is not None and record.held != expected.held:
            # A session that was just ended lets go a moment later.
            wait_until(lambda: self.ground.held() == expected.held, 0.5)
            record.held = self.ground.held()

    def _open_connections(self) -> int:
        def count() -> int:
            own = set(self.aliases.values())
            found = connections.all(initialized_only=True)
            return sum(c.alias in own and c.connection is not None for c in found)

        return sum(actor.call(count) for actor in self.actors.values())

    def _last(self, expected: Record | None) -> Record:
        """At the end every thread leaves its blocks in good order, and closes."""
        record = Record()
        for actor in self.actors.values():
            actor.call(lambda actor=actor: self._finish(actor, record))
        self._look(record, expected, settle=True)
        return record

    def _finish(self, actor: Actor, record: Record) -> None:
        while actor.blocks:
            try:
                actor.blocks.pop().__exit__(None, None, None)
            except Exception as error:
                record.exits.append(told(error))
        actor.kept.clear()
        for wrapper in connections.all(initialized_only=True):
            try:
                wrapper.close()
            except Exception as error:
                record.exits.append(told(error))

    def _clear(self) -> None:
        for actor in self.actors.values():
            actor.end()
        self.actors.clear()
        while self.rivals:
            self.rivals.pop().close()
        gc.collect()

    def plain(self, value: Any) -> Any:
        """*value* without what differs between arms: database names and where numbers start."""
        if isinstance(value, str):
            return re.sub(rf"\b{self.name}_", "", value)
        if isinstance(value, int) and not isinstance(value, bool):
            own = -IDS_APART < 2 * (value - self.ground.base) < IDS_APART
            return value - self.ground.base if own else value
        if isinstance(value, (list, tuple)):
            return [self.plain(each) for each in value]
        if isinstance(value, Model):
            return [self.plain(value.pk), self.plain(value.tag)]
        return value if value is None or isinstance(value, (bool, float)) else str(value)


def told(error: BaseException) -> list[Any]:
    """Class and number of an error; a class of this package counts as Django's that it is."""
    kinds = type(error).__mro__
    kind = next(kind for kind in kinds if not kind.__module__.startswith("django_lifeline."))
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    return [f"{kind.__module__}.{kind.__qualname__}", number]


def fate_of(error: BaseException) -> str:
    """What this engine says became of the work, from an error or what caused it."""
    diagnosis = getattr(error, "diagnosis", None)
    label = getattr(diagnosis, "label", None)
    return label.value if label is not None else ""
