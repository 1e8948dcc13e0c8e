"""gunicorn gevent and CONN_MAX_AGE = 60."""

from __future__ import annotations

from lifeline_lab.arms import HEALTH, PERSISTENT
from lifeline_lab.judges import answers_right, every, nothing_failed, worked
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="gevent-too-many",
    title="gunicorn gevent, 50 visitors at a time",
    story=(
        "With -k gevent and CONN_MAX_AGE = 60 every request is a new greenlet with a connection of "
        "its own, never used again and never closed, until the server is full."
    ),
    place="web request, gevent",
    cause="too many connections",
    program=("web_crowd.py", "gevent", "/reports/", "120"),
    judge=every(nothing_failed(), answers_right, worked("visitor reads a report", 120)),
    must_break=(PERSISTENT.name, HEALTH.name),
    variables={"max_connections": 40},
    settings={"CONN_MAX_AGE": 60},
    own_server=True,
    patience=60,
)
