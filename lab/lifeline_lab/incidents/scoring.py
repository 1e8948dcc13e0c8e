"""Compares what the engine said with what we did: pure functions."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lifeline_lab.incidents.kinds import NOTHING

UNDECIDED = "undecided"
"""The column of what was left open between several causes."""
SILENT = "nothing"
"""The column of what was not diagnosed."""


class Score(enum.Enum):
    """How good a diagnosis was."""

    CORRECT = "correct"
    """It named the cause, and no other."""
    HONEST = "honest"
    """It left the cause open between several, and it was one of them."""
    WRONG = "wrong"
    """It named another cause, or left it open between others."""
    SILENT = "silent"
    """The loss reached somebody without a diagnosis, or with none that names any cause."""
    FAILED = "failed"
    """The lab did not bring the incident about: it counts for nothing."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the engine said of one incident."""

    causes: tuple[str, ...] = ()
    """The cause it named; or, where it left that open, those it is between, likeliest first."""
    confidence: str = ""
    label: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    because: str = ""
    through: str = ""
    """``error`` or ``signal``: how it came to us."""

    @property
    def column(self) -> str:
        """Where it belongs in the confusion matrix."""
        if not self.causes:
            return SILENT
        return self.causes[0] if len(self.causes) == 1 else UNDECIDED


def score(truth: str, told: Told) -> Score:
    """Judge one diagnosis."""
    if truth == NOTHING:
        return Score.WRONG if told.causes else Score.CORRECT
    if not told.causes:
        return Score.SILENT
    if truth not in told.causes:
        return Score.WRONG
    return Score.CORRECT if len(told.causes) == 1 else Score.HONEST


def matrix(pairs: Iterable[tuple[str, str]]) -> dict[str, Counter[str]]:
    """Count truth and column: the confusion matrix, by rows."""
    rows: dict[str, Counter[str]] = {}
    for truth, column in pairs:
        rows.setdefault(truth, Counter())[column] += 1
    return rows
