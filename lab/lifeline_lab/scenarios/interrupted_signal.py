"""A time limit that raises in the middle of a query."""

from __future__ import annotations

from lifeline_lab.judges import answers_right, every, nothing_failed, worked
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="interrupted-signal",
    title="Time limit strikes in the middle of a query",
    story=(
        "A soft time limit breaks into a query; the next one gets an error, or the old one's rows."
    ),
    place="bare script",
    cause="interruption in the middle of a query",
    program=("interrupted_signal.py",),
    judge=every(answers_right, nothing_failed(), worked("ask after the limit", 12)),
    gentle=True,
)
