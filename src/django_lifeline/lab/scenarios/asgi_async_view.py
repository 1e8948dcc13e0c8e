"""An async view under a real ASGI server."""

from __future__ import annotations

from django_lifeline.lab import faults
from django_lifeline.lab.arms import PERSISTENT
from django_lifeline.lab.judges import every, nothing_failed, stored, worked
from django_lifeline.lab.scenario import Scenario

SCENARIO = Scenario(
    name="asgi-async-view",
    title="Async view, uvicorn",
    story="An async view that uses the async ORM fails for the first visitor after a quiet night.",
    place="async view",
    cause="idle timeout",
    program=("web_visitors.py", "asgi"),
    faults={"night": faults.idle_out},
    judge=every(
        nothing_failed(),
        worked("first visitor of the morning"),
        stored("timeline", [("visit", "v")] * 5),
    ),
    must_break=(PERSISTENT.name,),
    variables={"wait_timeout": 1},
)
