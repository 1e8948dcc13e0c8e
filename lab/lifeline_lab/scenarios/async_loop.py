"""An asyncio program with the asynchronous ORM."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="async-loop",
    title="asyncio program after a silence",
    story="A chat bot with the asynchronous ORM answers nobody after a quiet hour.",
    place="async program",
    cause="idle timeout",
    program=("async_loop.py",),
    faults={"no messages": faults.idle_out},
    judge=every(
        nothing_failed(),
        stored("timeline", [("message", m) for m in ("before", "after 0", "after 1", "after 2")]),
    ),
    variables={"wait_timeout": 1},
    gentle=True,
)
