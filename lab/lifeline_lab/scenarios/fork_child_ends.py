"""Forked child just ends."""

from __future__ import annotations

from lifeline_lab.judges import answers_right, every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="fork-child-ends",
    title="Forked child just ends",
    story="A child is forked for a moment and ends; it takes the parent's connection with it.",
    place="forked child",
    cause="fork",
    program=("forks.py", "ends"),
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
    must_break_with={"pymysql": ()},  # its deallocator says nothing to the server
    gentle=True,
    patience=12,
)
