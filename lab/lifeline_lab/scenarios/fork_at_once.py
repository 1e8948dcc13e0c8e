"""Children and parent all at once."""

from __future__ import annotations

from lifeline_lab.judges import answers_right, every, nothing_failed
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="fork-at-once",
    title="Forked children and parent, all at once",
    story=(
        "Four children query, close and end while the parent goes on: rows of one are read by"
        " another."
    ),
    place="forked child",
    cause="fork",
    program=("forks_at_once.py",),
    judge=every(answers_right, nothing_failed()),
    gentle=True,
    patience=15,
)
