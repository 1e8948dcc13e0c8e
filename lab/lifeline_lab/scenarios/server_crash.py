"""Server is killed and comes back."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="server-crash",
    title="Server is killed and comes back",
    story=(
        "The out-of-memory killer takes the database; it is back in seconds, the workers are not."
    ),
    place="worker loop",
    cause="server restart",
    program=("worker_loop.py",),
    faults={"between tasks": faults.crash},
    judge=every(
        nothing_failed(),
        stored("timeline", [(n, "done") for n in ("first", "second", "third", "fourth")]),
    ),
    own_server=True,
    patience=45,
)
