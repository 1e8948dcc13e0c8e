"""CONN_HEALTH_CHECKS outside requests."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="health-check-outside",
    title="Health checks on, and no request in sight",
    story=(
        "A queue worker sets CONN_HEALTH_CHECKS and calls close_old_connections() between tasks, "
        "as the manual says; the session dies within a task."
    ),
    place="worker loop",
    cause="KILL between statements",
    program=("worker_tasks.py",),
    faults={"inside a task": faults.kill},
    judge=every(
        nothing_failed(),
        stored("timeline", [(n, "done") for n in ("first", "second", "third")]),
    ),
    gentle=True,
)
