"""Where a step happens, and the list of all kinds of steps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connections

if TYPE_CHECKING:
    from tests.differential.actor import Actor
    from tests.differential.arm import Arm

ACTIONS: dict[str, Callable[..., Any]] = {}
STAGE: set[str] = set()
"""Kinds that happen to the program from outside, whatever its threads are in."""
FAULTS: set[str] = set()
"""Those of them that break something: stock Django is spared them."""


class Deliberate(Exception):
    """What steps raise on purpose."""


@dataclass(frozen=True)
class Place:
    """A thread and a database of one arm."""

    arm: Arm
    actor: Actor
    db: str

    @property
    def alias(self) -> str:
        """The name in ``DATABASES``."""
        return self.arm.aliases[self.db]

    @property
    def connection(self) -> Any:
        """Django's wrapper, of the thread that asks."""
        return connections[self.alias]

    def key(self, name: str) -> str:
        """What something kept is called: cursors of two databases are two."""
        return f"{self.db}.{name}"

    def text(self, sql: str) -> str:
        """*sql* with the arm's own names for ``{ten1}`` and the like, and tags for ``#10``."""
        for name in ("ten1", "ten2", "l1", "l2", "a", "b"):
            sql = sql.replace("{" + name + "}", f"{self.arm.name}_{name}")
        return re.sub(r"#(-?\d+)", lambda found: str(self.tag(int(found[1]))), sql)

    def tag(self, number: int) -> int:
        """A tag as it is stored."""
        return self.arm.ground.base + number

    def row(self, number: int) -> int:
        """The number of a row that was there at the start."""
        return self.arm.ground.base + number

    def execute(self, sql: str, params: Any = None) -> list[Any]:
        """Run a statement through a cursor of its own; return rows and what the cursor tells."""
        with self.connection.cursor() as cursor:
            cursor.execute(self.text(sql), params)
            return answer(cursor)


def answer(cursor: Any) -> list[Any]:
    """All that a cursor says of its statement."""
    names = [column[0] for column in cursor.description or ()]
    rows = list(cursor.fetchall()) if names else []
    return [names, rows, cursor.rowcount, cursor.lastrowid]


def action(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function what steps of its name do."""
    ACTIONS[function.__name__] = function
    return function


def stage(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function something that happens from outside."""
    STAGE.add(function.__name__)
    return action(function)


def fault(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function a fault."""
    FAULTS.add(function.__name__)
    return stage(function)
