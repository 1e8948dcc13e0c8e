"""Forked child killed in the middle of a query."""

from __future__ import annotations

from lifeline_lab.judges import answers_right, every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="fork-child-killed",
    title="Forked child killed in the middle of a query",
    story=(
        "A job runner kills a child that takes too long; its parent reads the answer meant for it."
    ),
    place="forked child",
    cause="fork",
    program=("forks.py", "killed"),
    judge=every(
        nothing_failed(),
        answers_right,
        stored(
            "timeline",
            [
                *(("parent", f"after child {n}") for n in range(3)),
            ],
        ),
    ),
    gentle=True,
    patience=12,
)
