"""Too many connections, for a moment."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="full-server",
    title="Server full for a moment",
    story=(
        "Another service takes every connection for a second; a worker that starts just then dies."
    ),
    place="worker loop",
    cause="too many connections",
    program=("full_server.py",),
    faults={"before the first query": faults.crowd(1.0)},
    judge=every(nothing_failed(), stored("timeline", [("busy", str(n)) for n in range(3)])),
    variables={"max_connections": 12},
    own_server=True,
)
