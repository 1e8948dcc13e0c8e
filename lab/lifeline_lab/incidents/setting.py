"""The settings in which incidents happen, drawn by chance from a seed: pure, so repeatable."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lifeline_lab.incidents.kinds import DRIVERS, SERVERS, SOCKET, Kind

CELLS = tuple(itertools.product(SERVERS, DRIVERS))
"""Server and driver: each pair has a process of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One incident to be made."""

    seed: str
    """From this everything else that is drawn follows: limits, idle times, sizes."""
    kind: str
    truth: str
    server: str
    driver: str
    way: str
    work: str
    tls: bool
    lane: str
    """``main``, ``thread`` or ``greenlet``."""
    read_timeout: int | None
    """The driver's, in seconds."""
    pooled: bool

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def draw(
    kinds: Mapping[str, Kind],
    seed: int,
    count: int,
    cells: Sequence[tuple[str, str]] = CELLS,
) -> list[Setting]:
    """Draw ``count`` incidents: each kind in each cell as often as any other, give or take one."""
    chance = random.Random(f"incidents {seed}")
    possible = [
        (kind, cell)
        for kind in kinds.values()
        for cell in cells
        if cell[0] in kind.servers and cell[1] in kind.drivers
    ]
    drawn: list[tuple[Kind, tuple[str, str]]] = []
    while len(drawn) < count and possible:
        drawn += chance.sample(possible, len(possible))
    return [
        _setting(kind, cell, f"{seed}-{number}", chance)
        for number, (kind, cell) in enumerate(drawn[:count], start=1)
    ]


def _setting(kind: Kind, cell: tuple[str, str], seed: str, chance: random.Random) -> Setting:
    way = chance.choice(kind.ways)
    # Nobody encrypts what stays on one machine.
    tls = way != SOCKET and chance.choice(kind.tls)
    return Setting(
        seed=seed,
        kind=kind.name,
        truth=kind.truth,
        server=cell[0],
        driver=cell[1],
        way=way,
        work=chance.choice(kind.works),
        tls=tls,
        lane=chance.choice(kind.lanes),
        read_timeout=chance.choice((None, None, 12, 25)),
        pooled=chance.random() < 0.8 or kind.pooled,
    )
