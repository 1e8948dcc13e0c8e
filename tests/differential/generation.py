"""Draws random programs: the same seed draws the same program.

A program is drawn from a handful of themes, so that steps which matter to one another meet more
often than they would by chance: all kinds in every program would be noise. Some steps matter only
in an order: those are drawn as `idioms`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, TypeVar

from tests.differential.idioms import IDIOMS
from tests.differential.steps import ACTORS, ALL_BLOCKS, Program, Step
from tests.differential.themes import FAULTS, THEMES, WIRE, WRITES, Draw

T = TypeVar("T")

CROWDED = {"cursors", "questions"}
"""Themes that matter most where actors compete for few connections."""
DEEPEST = 3


class Author:
    """Writes one program, by what *source* draws."""

    def __init__(self, source: random.Random, *, faults: bool, restarts: bool) -> None:
        self.random = source
        self.restarts = restarts
        self.faults = faults and self.chance(0.55)
        self.wire = self.faults and self.chance(0.3)
        names = self.random.sample(list(THEMES), self.random.randint(1, 4))
        many = not CROWDED.isdisjoint(names)
        self.actors = ACTORS[: self.choice((1, 2, 2, 2, 3) if many else (1, 1, 2, 2, 3))]
        self.databases = self.choice(("a", "a", "ab"))
        self.themes = [THEMES[name] for name in ["plain", *names]]
        crowded = len(self.actors) > 1 and many
        self.pool = self.choice((10, 2, 1, 1) if crowded else (10, 10, 10, 2, 1))
        self.idioms = [idiom for name in names for idiom in IDIOMS.get(name, ())]
        self.idioms += IDIOMS["plain"]
        if self.faults:
            self.themes.append(self._breaking())
        self.actor = self.actors[0]
        self.db = "a"
        self.depth = dict.fromkeys(self.actors, 0)
        self._tags = 0

    # What draws are made of

    def chance(self, share: float) -> bool:
        """True in that share of the cases."""
        return self.random.random() < share

    def choice(self, among: Sequence[T]) -> T:
        """One of them."""
        return self.random.choice(among)

    def tag(self) -> int:
        """The first of ten tags that no other step has."""
        self._tags += 10
        return self._tags

    def row(self) -> int:
        """A row that is there at the start: mostly the actor's own, to spare waits for locks."""
        return self.random.randint(1, 3) if self.chance(0.1) else 1 + ACTORS.index(self.actor)

    def other(self) -> str:
        """Another actor, if there is one."""
        return self.choice([name for name in self.actors if name != self.actor] or self.actors)

    def draw(self, draw: Draw, actor: str = "", leaves: int = 0) -> Step:
        """The step that *draw* makes, by an actor whose errors are caught at once."""
        kind, args = draw(self)
        return Step(kind, args, actor or self.actor, self.db, leaves)

    def any_of(self, draws: Sequence[Draw], most: int = 1, least: int = 1) -> list[Step]:
        """Some steps of a list."""
        return [self.draw(self.choice(draws)) for _ in range(self.random.randint(least, most))]

    def plain(self, kind: str, *args: Any, actor: str = "", leaves: int = 0) -> Step:
        """A step that is known already."""
        return Step(kind, args, actor or self.actor, self.db, leaves)

    def write(self, most: int = 1) -> list[Step]:
        """Some writing steps."""
        return self.any_of(WRITES, most)

    def breaks(self, share: float = 0.8) -> list[Step]:
        """A fault, in programs that have some."""
        if not self.faults or not self.chance(share):
            return []
        return self.any_of(self._breaking())

    def _breaking(self) -> list[Draw]:
        return WIRE if self.wire else FAULTS

    # The program

    def program(self, name: str = "") -> Program:
        """Write it."""
        steps: list[Step] = []
        length = self.random.randint(4, 24)
        while len(steps) < length:
            if self.chance(0.35):
                self.actor = self.choice(self.actors)
                self.db = self.choice(self.databases)
            steps += self._next()
        for actor, left in self.depth.items():
            steps += [Step("leave", ("ok",), actor) for _ in range(left)]
        return Program(tuple(steps), self.pool, self.wire, name)

    def _next(self) -> list[Step]:
        if self.chance(0.2):
            return self.choice(self.idioms)(self)
        if self.chance(0.12) and self.depth[self.actor] < DEEPEST:
            self.depth[self.actor] += 1
            return [self.plain("enter", self.chance(0.8), self.chance(0.1), leaves=self.leaves())]
        if self.depth[self.actor] and self.chance(0.15):
            self.depth[self.actor] -= 1
            how = "fail" if self.chance(0.25) else "ok"
            return [self.plain("leave", how, leaves=self.leaves())]
        return [self.draw(self.choice(self.choice(self.themes)), leaves=self.leaves())]

    def leaves(self) -> int:
        """How many blocks an error leaves before it is caught."""
        return self.choice((0, 0, 0, 1, 1, 2, ALL_BLOCKS))


def write(source: random.Random, *, faults: bool = True, restarts: bool = False) -> Program:
    """Write the program that *source* draws."""
    return Author(source, faults=faults, restarts=restarts).program()


def write_by_seed(seed: str, *, faults: bool = True, restarts: bool = False) -> Program:
    """The program that belongs to *seed*, which is its name."""
    author = Author(random.Random(seed), faults=faults, restarts=restarts)
    return author.program(seed)
