"""A scheduler thread that saves after a long wait."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.admin import TASKS
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="scheduler-thread",
    title="Scheduler thread saves after a long wait",
    story=(
        "A site mails reports: every morning a thread reads the tasks, works for long, and "
        "timeline.save() dies with 2006."
    ),
    place="plain thread",
    cause="idle timeout",
    program=("scheduler_thread.py",),
    faults={"working": faults.idle_out},
    judge=every(
        nothing_failed(),
        stored("timeline", [(task, "sent") for task in TASKS]),
        stored("task", [(task, "done") for task in TASKS]),
    ),
    variables={"wait_timeout": 1},
    gentle=True,
    quick=True,
)
