"""Server restarts in good order."""

from __future__ import annotations

from django_lifeline.lab import faults
from django_lifeline.lab.judges import every, nothing_failed, stored
from django_lifeline.lab.scenario import Scenario

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
