"""An administrator kills the session."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="kill-between",
    title="KILL between two statements",
    story="An administrator tidies up and kills the sleeping session of a worker.",
    place="worker loop",
    cause="KILL between statements",
    program=("worker_loop.py",),
    faults={"between tasks": faults.kill},
    judge=every(
        nothing_failed(),
        stored("timeline", [(n, "done") for n in ("first", "second", "third", "fourth")]),
    ),
    gentle=True,
    quick=True,
)
