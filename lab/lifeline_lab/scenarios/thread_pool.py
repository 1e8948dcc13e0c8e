"""A thread pool that was idle."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="thread-pool",
    title="Thread pool of 8 after a quiet night",
    story="A ThreadPoolExecutor whose threads were idle past wait_timeout fails on its next work.",
    place="thread pool",
    cause="idle timeout",
    program=("thread_pool.py", "8"),
    faults={"night": faults.idle_out},
    judge=every(
        nothing_failed(),
        stored("timeline", [(turn, str(n)) for turn in ("evening", "morning") for n in range(8)]),
    ),
    variables={"wait_timeout": 1},
    gentle=True,
)
