"""The first request of the morning under gunicorn gthread."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.arms import PERSISTENT
from lifeline_lab.judges import every, nothing_failed, worked
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="web-gthread",
    title="First page of the morning, gunicorn gthread",
    story=(
        "A public site gets a 500 for /markets/golds/ after a quiet night; the next visitor "
        "sees the page."
    ),
    place="web request, gthread",
    cause="idle timeout",
    program=("web_visitors.py", "gthread"),
    faults={"night": faults.idle_out},
    judge=every(
        nothing_failed(), worked("first visitor of the morning"), worked("visitor by day", 12)
    ),
    must_break=(PERSISTENT.name,),
    variables={"wait_timeout": 1},
)
