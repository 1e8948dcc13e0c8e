"""More threads than a pool has connections."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="thread-pool-large",
    title="Thread pool of 30, all idle at night",
    story="Thirty threads, more than any sensible pool has connections, come back after a silence.",
    place="thread pool",
    cause="idle timeout",
    program=("thread_pool.py", "30"),
    faults={"night": faults.idle_out},
    judge=every(
        nothing_failed(),
        stored("timeline", [(turn, str(n)) for turn in ("evening", "morning") for n in range(30)]),
    ),
    variables={"wait_timeout": 1},
)
