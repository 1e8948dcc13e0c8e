"""A COMMIT without an answer."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored, worked
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="lost-commit",
    title="The answer to COMMIT is lost",
    story=(
        "The proxy dies after COMMIT was sent: the caller is told that it failed, does it again, "
        "and the order is there twice."
    ),
    place="inside atomic",
    cause="loss in the middle of a statement",
    program=("mid_statement.py", "commit-again"),
    faults={
        "before the hit": faults.on_the_wire("^COMMIT", "after_send", says="answer to COMMIT lost")
    },
    judge=every(
        stored("timeline", [("hit", "written"), ("after", "0"), ("after", "1")]),
        nothing_failed(),
        worked("order"),
        worked("read after", 2),
        worked("save after", 2),
    ),
    proxy=True,
    quick=True,
)
