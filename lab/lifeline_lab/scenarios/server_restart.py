"""Server restarts in good order."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="server-restart",
    title="Server restarts in good order",
    story="The database is upgraded at noon; every worker must be restarted by hand.",
    place="worker loop",
    cause="server restart",
    program=("worker_loop.py",),
    faults={"between tasks": faults.restart},
    judge=every(
        nothing_failed(),
        stored("timeline", [(n, "done") for n in ("first", "second", "third", "fourth")]),
    ),
    own_server=True,
    patience=45,
)
