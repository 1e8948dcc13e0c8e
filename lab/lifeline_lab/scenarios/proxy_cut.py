"""A proxy that resets idle connections."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="proxy-cut",
    title="Proxy or NAT cuts the idle connection",
    story=(
        "A load balancer between worker and database drops connections that were silent for a"
        " while."
    ),
    place="worker loop",
    cause="network",
    program=("worker_loop.py",),
    faults={"between tasks": faults.cut},
    judge=every(
        nothing_failed(),
        stored("timeline", [(n, "done") for n in ("first", "second", "third", "fourth")]),
    ),
    proxy=True,
)
