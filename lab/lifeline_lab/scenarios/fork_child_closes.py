"""Forked child closes its connections."""

from __future__ import annotations

from lifeline_lab.judges import answers_right, every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="fork-child-closes",
    title="Forked child closes its connections",
    story=(
        "The child follows the advice to call connections.close_all(), which says goodbye in "
        "its parent's name."
    ),
    place="forked child",
    cause="fork",
    program=("forks.py", "closes"),
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
