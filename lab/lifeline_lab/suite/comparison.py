"""What the runs of two arms say beside each other; plain values only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

MISSING = "missing"
GOOD = frozenset({"passed", "expected failure"})
"""Outcomes of a test that did what Django wants of it."""
NEUTRAL = frozenset({"skipped"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one test."""

    outcome: str
    detail: str = ""

    @property
    def bad(self) -> bool:
        """Whether this fails a suite."""
        return self.outcome not in GOOD | NEUTRAL


@dataclass(frozen=True, slots=True)
class Difference:
    """One test that does not do with ours what it does with stock."""

    test: str
    stock: str
    lifeline: str
    detail: str


@dataclass(slots=True)
class Run:
    """One arm's run over all labels."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    seconds: float = 0.0
    crashes: list[str] = field(default_factory=list)
    """What was seen of processes that ended early or hung."""
    left_open: int = 0
    """Sessions in a database that had been dropped, after the last test."""

    def counts(self) -> dict[str, int]:
        """Return how many tests had each outcome."""
        return dict(sorted(Counter(found.outcome for found in self.outcomes.values()).items()))

    def not_passed(self) -> list[Difference]:
        """Return the tests that fail this run."""
        return [
            Difference(test, "", found.outcome, found.detail)
            for test, found in sorted(self.outcomes.items())
            if found.bad
        ]

    def of(self, test: str) -> Outcome:
        """Return a test's outcome; one that never ran is missing."""
        return self.outcomes.get(test, Outcome(MISSING))


def lost(stock: Run, lifeline: Run) -> list[Difference]:
    """Return the tests that are well with stock and are not with ours: this must be empty.

    A test that stock passes and ours skips is lost too.
    """
    return [
        _difference(test, before, lifeline.of(test))
        for test, before in sorted(stock.outcomes.items())
        if not before.bad and _rank(lifeline.of(test)) > _rank(before)
    ] + [
        _difference(test, Outcome(MISSING), after)
        for test, after in sorted(lifeline.outcomes.items())
        if after.bad and test not in stock.outcomes
    ]


def gained(stock: Run, lifeline: Run) -> list[Difference]:
    """Return the tests that are better with ours than with stock."""
    return [
        _difference(test, before, lifeline.of(test))
        for test, before in sorted(stock.outcomes.items())
        if _rank(lifeline.of(test)) < _rank(before)
    ]


def _rank(found: Outcome) -> int:
    return 2 if found.bad else 1 if found.outcome in NEUTRAL else 0


def _difference(test: str, before: Outcome, after: Outcome) -> Difference:
    return Difference(test, before.outcome, after.outcome, after.detail or before.detail)
