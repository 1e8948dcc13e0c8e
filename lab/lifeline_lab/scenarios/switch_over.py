"""The server takes no writes for a moment, and its sessions live on."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="switch-over",
    title="Switch-over: no writes for a second",
    story=(
        "The primary is locked (read_only) before another one takes over; connections to it stay"
        " open."
    ),
    place="worker loop",
    cause="failover",
    program=("worker_loop.py",),
    faults={"between tasks": faults.read_only_for(1.0)},
    judge=every(
        nothing_failed(),
        stored("timeline", [(n, "done") for n in ("first", "second", "third", "fourth")]),
    ),
    own_server=True,
    patience=45,
)
