"""Loss inside a transaction."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import answers_right, every, failed_as, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="inside-atomic",
    title="KILL in the middle of a transaction",
    story="Half a money transfer is lost with its connection: none of it may be stored.",
    place="inside atomic",
    cause="KILL between statements",
    program=("atomic_loss.py",),
    faults={"half way": faults.kill},
    judge=every(
        failed_as("transfer that is hit", "OperationalError", "InterfaceError"),
        nothing_failed(save=["transfer that is hit"]),
        answers_right,
        stored("timeline", [(n, half) for n in ("before", "after") for half in ("taken", "given")]),
    ),
    must_break=(),
    control=True,
    gentle=True,
)
