"""Socket shut down behind Django's back."""

from __future__ import annotations

from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="closed-socket",
    title="Socket shut down behind Django's back",
    story="A daemonising library closes the descriptors it does not know.",
    place="bare script",
    cause="closed behind Django's back",
    program=("closed_behind.py", "socket"),
    judge=every(nothing_failed(), stored("timeline", [("closed", str(n)) for n in range(3)])),
    gentle=True,
)
