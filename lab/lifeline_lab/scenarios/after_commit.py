"""A loss right after an acknowledged COMMIT."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored, worked
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="after-commit",
    title="Connection lost right after COMMIT",
    story=(
        "COMMIT was acknowledged, then the connection went: the caller sees 2013, the on_commit "
        "mail is never sent, and the row is stored."
    ),
    place="inside atomic",
    cause="loss in the middle of a statement",
    program=("mid_statement.py", "commit"),
    # Whatever the engine sends next: stock goes back to autocommit, others have nothing to say.
    faults={
        "before the hit": faults.on_the_wire(
            "^SET autocommit ?= ?1|^SELECT COUNT",
            "before",
            says="connection lost after COMMIT was acknowledged",
        )
    },
    judge=every(
        nothing_failed(),
        stored("timeline", [("hit", "written"), ("after", "0"), ("after", "1")]),
        worked("order"),
        worked("mail the receipt"),
        worked("read after", 2),
        worked("save after", 2),
    ),
    proxy=True,
)
