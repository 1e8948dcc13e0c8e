"""Plans interruptions, runs them in programs of their own, and puts together what they found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymysql.constants import CLIENT

from lifeline_lab.servers import Server
from tests.fixtures.databases import fresh_database
from tests.fixtures.programs import Runner

PROGRAM = Path(__file__).with_name("program.py")
POOL = {"max_size": 2, "timeout": 3}
"""A slot that is lost for ever makes a borrower wait in vain for so many seconds."""

OPTIONS: dict[str, dict[str, object]] = {
    "mysqlclient": {},
    "pymysql": {"client_flag": CLIENT.MULTI_STATEMENTS},  # mysqlclient sets it by itself
}

BEYOND = 3
"""Steps tried beyond the counted ones: a run may take a few more than the one that was counted."""

BATCH = 1500
LONGEST = 900.0


@dataclass(frozen=True)
class Arm:
    """One way of breaking in."""

    kind: str
    how: str

    @property
    def gevent(self) -> bool:
        """Whether greenlets are what is broken into."""
        return self.kind in ("kill", "timeout")

    @property
    def ends(self) -> tuple[bool, ...]:
        """Whether the interrupted thread ends: it goes on, and in another run it ends.

        The main thread, which signals interrupt, only goes on.
        """
        return (False,) if self.kind == "interrupt" else (False, True)

    def __str__(self) -> str:
        return NAMES[self.kind, self.how]


NAMES = {
    ("interrupt", "next"): "SIGINT pending before a step",
    ("async", "next"): "asynchronous exception pending before a step",
    ("kill", "next"): "greenlet killed while it waits",
    ("timeout", "next"): "`Timeout` while a greenlet waits",
    ("interrupt", "here"): "`KeyboardInterrupt` raised at a step",
    ("async", "here"): "`BaseException` of the application raised at a step",
    ("kill", "here"): "`GreenletExit` raised at a step",
    ("timeout", "here"): "gevent's `Timeout` raised at a step",
}
ARMS = tuple(Arm(*key) for key in NAMES)

Strikes = list[tuple[str, int, bool]]


@dataclass
class Found:
    """What one arm found with one driver on one server."""

    counted: dict[str, dict[str, Any]] = field(default_factory=dict)
    struck: int = 0
    sealed: int = 0
    dropped: int = 0
    unreached: int = 0
    violations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def files(self) -> Counter[str]:
        """How many steps each file of the engine has in all workloads together."""
        total: Counter[str] = Counter()
        for counted in self.counted.values():
            total.update(counted["files"])
        return total

    def take(self, said: dict[str, Any]) -> None:
        """Add what a program said."""
        self.counted |= said["counted"]
        self.struck += said["struck"]
        self.sealed += said["sealed"]
        self.dropped += said["dropped"]
        self.unreached += said["unreached"]
        self.violations += said["violations"]


@dataclass(frozen=True)
class Sweep:
    """Runs one arm with one driver on one server."""

    run: Runner
    server: Server
    driver: str
    arm: Arm

    def count(self) -> Found:
        """Find out how many steps each workload takes."""
        return self._found(count=[""])

    def share(self, seed: int, workloads: int, strikes: int) -> Found:
        """Carry out some of the interruptions in some of the workloads."""
        return self._found(share=[seed, workloads, strikes])

    def _found(self, **sweep: Any) -> Found:
        found = Found()
        with fresh_database(self.server) as name:
            found.take(self._program(name, **sweep))
        return found

    def strikes(self, found: Found) -> Strikes:
        """Every interruption that there is, as ``(workload, step, ends)``."""
        steps = "polling" if self.arm.how == "next" else "steps"
        return [
            (name, at, ends)
            for name, counted in found.counted.items()
            for at in range(1, counted[steps] + 1 + BEYOND)
            for ends in self.arm.ends
        ]

    def strike(self, strikes: Strikes, found: Found) -> None:
        """Carry interruptions out; where nothing goes on any more, in a new process."""
        for batch in batches(strikes):
            while batch:
                with fresh_database(self.server) as name:
                    said = self._program(name, strikes=batch)
                found.take(said)
                batch = batch[said["done"] + 1 :] if said["hung"] else []

    def _program(self, database: str, **sweep: Any) -> dict[str, Any]:
        told = self.run.folder / "sweep.json"
        told.write_text(json.dumps({"kind": self.arm.kind, "how": self.arm.how, **sweep}))
        outcome = self.run(
            PROGRAM,
            self.server,
            self.driver,
            options={"pool": POOL, "read_timeout": 10, **OPTIONS[self.driver]},
            gevent=self.arm.gevent,
            env={"SWEEP": str(told)},
            timeout=LONGEST,
            NAME=database,
        )
        said: dict[str, Any] = outcome.json
        return said


def batches(strikes: Strikes) -> Iterator[Strikes]:
    """Parts of the list, each for one program."""
    for start in range(0, len(strikes), BATCH):
        yield strikes[start : start + BATCH]


def summary(violations: list[dict[str, Any]]) -> str:
    """The violations, equal ones counted."""
    tally = Counter(
        f"{found['workload']}{', thread ends' if found['ends'] else ''}: {found['what']} "
        f"[{found['where'].rpartition(' at ')[0]}]"
        for found in violations
    )
    return "\n".join(f"{count} × {text}" for text, count in sorted(tally.items()))
