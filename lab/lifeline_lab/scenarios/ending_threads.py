"""Threads that end without closing."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, sessions_at_most
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="ending-threads",
    title="A thread for every job, nobody closes",
    story="Twenty-two threads that ended left twenty-two sessions on the server.",
    place="plain thread",
    cause="too many connections",
    program=("ending_threads.py",),
    faults={"all ended": faults.count_sessions("all ended")},
    judge=every(nothing_failed(), sessions_at_most(10, at="all ended")),
    gentle=True,
)
