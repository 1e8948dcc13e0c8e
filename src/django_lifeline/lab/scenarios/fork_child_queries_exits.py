"""Forked child queries and leaves by os._exit."""

from __future__ import annotations

from django_lifeline.lab.judges import answers_right, every, nothing_failed, stored
from django_lifeline.lab.scenario import Scenario

SCENARIO = Scenario(
    name="fork-child-queries-exits",
    title="Forked child queries and leaves by os._exit",
    story="Children of a job runner query and leave without any clean-up.",
    place="forked child",
    cause="fork",
    program=("forks.py", "queries-exits"),
    judge=every(
        nothing_failed(),
        answers_right,
        stored(
            "timeline",
            [
                *(("child", f"child {n}") for n in range(3)),
                *(("parent", f"after child {n}") for n in range(3)),
            ],
        ),
    ),
    gentle=True,
    patience=12,
)
