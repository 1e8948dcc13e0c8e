"""A network that swallows packets."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import answers_right, every, nothing_failed, within, worked
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="half-open",
    title="Half-open network: packets vanish",
    story=(
        "A firewall forgets the connection and answers nothing; the worker waits, and after its "
        "read_timeout every later statement fails."
    ),
    place="worker loop",
    cause="network",
    program=("worker_loop.py",),
    faults={"between tasks": faults.blackhole},
    judge=every(
        within(8, "look for work", "note the work"),
        nothing_failed(),
        answers_right,
        worked("note the work", 4),
    ),
    proxy=True,
    options={"read_timeout": 2, "connect_timeout": 3},
)
