"""Driver connection closed behind Django's back."""

from __future__ import annotations

from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="closed-driver",
    title="Driver connection closed behind Django's back",
    story="A helper library closes connection.connection; Django never finds out.",
    place="bare script",
    cause="closed behind Django's back",
    program=("closed_behind.py", "driver"),
    judge=every(nothing_failed(), stored("timeline", [("closed", str(n)) for n in range(3)])),
    gentle=True,
)
