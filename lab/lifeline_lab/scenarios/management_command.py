"""A management command that loops."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="management-command",
    title="Management command loop",
    story=(
        "manage.py work runs for weeks; after a day without tasks it fails until it is restarted."
    ),
    place="management command",
    cause="idle timeout",
    program=("command_loop.py",),
    faults={"nothing to do": faults.idle_out},
    judge=every(nothing_failed(), stored("timeline", [("turn", str(turn)) for turn in range(4)])),
    variables={"wait_timeout": 1},
    gentle=True,
)
