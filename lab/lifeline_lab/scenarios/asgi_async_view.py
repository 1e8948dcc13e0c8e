"""Async views under a real ASGI server."""

from __future__ import annotations

from lifeline_lab.judges import answers_right, every, nothing_failed, stored, worked
from lifeline_lab.scenario import Scenario

VISITORS = 100

SCENARIO = Scenario(
    name="asgi-async-view",
    title="Async views under uvicorn, 50 visitors at a time",
    story=(
        "Under ASGI every request works in a thread, and so in a connection, of its own: a crowd "
        "of visitors fills the server."
    ),
    place="async view",
    cause="too many connections",
    program=("web_crowd.py", "asgi", "/reports/async/", str(VISITORS)),
    judge=every(
        nothing_failed(),
        answers_right,
        worked("visitor reads a report", VISITORS),
        stored("timeline", [("visit", f"visitor-{number}") for number in range(VISITORS)]),
    ),
    variables={"max_connections": 20},
    own_server=True,
    patience=60,
)
