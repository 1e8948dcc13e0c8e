"""What one process does: known programs and random ones, with one driver and server."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase

from tests.differential.generation import write_by_seed
from tests.differential.known import programs as known_programs
from tests.differential.machine import Machine
from tests.differential.minimise import minimise
from tests.differential.steps import Program
from tests.differential.strategies import programs
from tests.differential.structure import BREAKING_EXCHANGES, FAULT_KINDS


@dataclass(frozen=True)
class Found:
    """A program that showed a difference, made small."""

    program: Program
    difference: Any
    steady: bool = True
    """Whether it showed again when it was run again."""

    def __str__(self) -> str:
        seldom = "" if self.steady else " (not when it was run again)"
        return f"{self.program}\n{self.difference}{seldom}\n{self.program.dump()}"


@dataclass
class Campaign:
    """Programs that ran, counted, and what they showed."""

    machine: Machine
    seconds: float = float("inf")
    """After which no new program is begun."""
    minimised: bool = True
    first: bool = False
    """Whether the first that is found ends it."""
    programs: int = 0
    steps: int = 0
    with_faults: int = 0
    through_proxy: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)
    on_found: Callable[[Found], None] = print

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._signatures: set[Any] = set()

    @property
    def lasted(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def run_known(self) -> None:
        """Run the programs that once showed a fault."""
        for program in known_programs():
            self._run(program, minimised=False)

    def run_seeds(self, seed: str, number: int, **how: bool) -> None:
        """Run so many random programs; each has a seed of its own, so it can be run alone."""
        for each in range(number):
            if self.lasted > self.seconds or (self.first and self.found):
                return
            self._run(write_by_seed(f"{seed}/{each}", **how), minimised=self.minimised)

    def run_drawn(self, seed: int, number: int) -> None:
        """Run so many programs that Hypothesis draws.

        It is not asked to shrink: see `strategies`.
        """

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=number,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(programs())
        def each(program: Program) -> None:
            self._run(program, minimised=self.minimised)

        each()

    def try_out(self, program: Program, *, minimised: bool = True) -> Found | None:
        """Run a program; return it, made small, if it shows something that was not seen yet."""
        self._count(program)
        difference = self.machine.judge(program)
        if difference is None or difference.signature in self._signatures:
            return None
        self._signatures.add(difference.signature)
        return self._made_small(program, difference, minimised=minimised)

    def _run(self, program: Program, *, minimised: bool) -> None:
        found = self.try_out(program, minimised=minimised)
        if found is not None:
            self.found.append(found)
            self.on_found(found)

    def _made_small(self, program: Program, difference: Any, *, minimised: bool) -> Found:
        def fails(candidate: Program) -> bool:
            again = self.machine.judge(candidate)
            return again is not None and again.signature == difference.signature

        if not fails(program):
            return Found(program, difference, steady=False)
        small = minimise(program, fails) if minimised else program
        return Found(small, self.machine.judge(small) or difference)

    def _count(self, program: Program) -> None:
        kinds = [step.kind for step in program.steps]
        self.programs += 1
        self.steps += len(kinds)
        self.with_faults += any(map((FAULT_KINDS | BREAKING_EXCHANGES).__contains__, kinds))
        self.through_proxy += program.wire
        self.kinds.update(_told(step.kind, step.args) for step in program.steps)

    def summary(self) -> dict[str, Any]:
        """All of it in plain values."""
        return {
            "programs": self.programs,
            "steps": self.steps,
            "with_faults": self.with_faults,
            "through_proxy": self.through_proxy,
            "seconds": round(self.lasted),
            "kinds": dict(self.kinds),
            "found": [_plain(found) for found in self.found],
        }


def _told(kind: str, args: tuple[Any, ...]) -> str:
    """A kind as it is counted: of a fault on the wire also where and how, of the ORM's what."""
    if kind == "break_next":
        return f"{kind} {args[1]} {args[2]}"
    return f"{kind} {args[-1]}" if kind.startswith("killed_orm") or kind == "cut" else kind


def _plain(found: Found) -> dict[str, Any]:
    difference = dataclasses.asdict(found.difference)
    return {
        "name": found.program.name,
        "program": found.program.dump(),
        "text": str(found),
        "steady": found.steady,
        "law": difference["law"],
        "kind": difference["kind"],
    }
