"""The ORM in a bare script."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.admin import TASKS
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="bare-script",
    title="Bare script with settings.configure()",
    story="A script outside any project reads a row, sleeps for a minute, and cannot save it.",
    place="bare script",
    cause="idle timeout",
    program=("bare_script.py",),
    faults={"sleeping": faults.idle_out},
    judge=every(
        nothing_failed(),
        stored("task", [(TASKS[0], "done"), *((task, "new") for task in TASKS[1:])]),
    ),
    variables={"wait_timeout": 1},
    gentle=True,
)
