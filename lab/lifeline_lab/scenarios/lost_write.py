"""Loss in the middle of a write."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, failed_as, nothing_failed, stored_at_most_once, worked
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="lost-write",
    title="KILL in the middle of an INSERT",
    story="A row is being written when the session is killed: nobody may write it twice.",
    place="bare script",
    cause="loss in the middle of a statement",
    program=("mid_statement.py", "write"),
    faults={"before the hit": faults.kill_while_running("SLEEP(1)")},
    judge=every(
        failed_as("slow write", "ConnectionLost", "OperationalError"),
        nothing_failed(save=["slow write"]),
        stored_at_most_once("timeline", ("hit", "100")),
        worked("read after", 2),
        worked("save after", 2),
    ),
)
