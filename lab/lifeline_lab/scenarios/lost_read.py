"""Loss in the middle of a read."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import answers_right, every, nothing_failed, worked
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="lost-read",
    title="KILL in the middle of a SELECT",
    story="A report waits for a table that is being altered, and its session is killed.",
    place="bare script",
    cause="loss in the middle of a statement",
    program=("mid_statement.py", "read"),
    faults={"before the hit": faults.kill_while_locked_out("gold")},
    judge=every(
        nothing_failed(),
        worked("slow read"),
        answers_right,
        worked("read after", 2),
        worked("save after", 2),
    ),
)
