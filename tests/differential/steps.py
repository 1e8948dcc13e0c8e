"""What a program is made of: plain values, which can be printed, stored and made fewer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

ACTORS = ("A", "B", "C")
"""The threads of a program, in the order in which small programs use them."""

ALL_BLOCKS = 9
"""``leaves`` of an error that nobody inside any block catches."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that one thread does with one database."""

    kind: str
    """The name of an action."""
    args: tuple[Any, ...] = ()
    actor: str = "A"
    db: str = "a"
    leaves: int = 0
    """How many ``atomic`` blocks an error leaves before somebody catches it."""

    def __str__(self) -> str:
        words = [f"{self.actor}.{self.db}", self.kind, *(json.dumps(arg) for arg in self.args)]
        if self.leaves:
            words.append(f"leaves={self.leaves}")
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Program:
    """Steps, and the size of the pool that this engine may use for them."""

    steps: tuple[Step, ...]
    pool: int = 10
    wire: bool = False
    """Whether this engine reaches its server through a proxy that can break things."""
    name: str = field(default="", compare=False)

    def __str__(self) -> str:
        through = ", through a proxy" if self.wire else ""
        head = f"# pool of {self.pool}{through}{': ' if self.name else ''}{self.name}"
        return "\n".join([head, *(f"{n:3}  {step}" for n, step in enumerate(self.steps))])

    def with_steps(self, steps: Iterable[Step]) -> Program:
        """The same program with other steps."""
        return Program(tuple(steps), self.pool, self.wire, self.name)

    def dump(self) -> str:
        """As one line of JSON, which `load` reads."""
        steps = [[s.kind, list(s.args), s.actor, s.db, s.leaves] for s in self.steps]
        return json.dumps({"pool": self.pool, "wire": self.wire, "steps": steps})


def load(text: str) -> Program:
    """The program that `Program.dump` wrote."""
    read = json.loads(text)
    steps = (Step(kind, tuple(args), *rest) for kind, args, *rest in read["steps"])
    return Program(tuple(steps), read["pool"], read["wire"])
