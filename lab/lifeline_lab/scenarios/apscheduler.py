"""Jobs of a real APScheduler."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="apscheduler",
    title="APScheduler jobs",
    story="Every job needs connections.close_all() first, or the ORM in it fails after a while.",
    place="APScheduler",
    cause="idle timeout",
    program=("apscheduler_jobs.py",),
    faults={"night": faults.idle_out},
    judge=every(nothing_failed(), stored("timeline", [("job", f"run {run}") for run in range(3)])),
    variables={"wait_timeout": 1},
    gentle=True,
    quick=True,
)
