"""The C driver stalls the whole gevent worker."""

from __future__ import annotations

from lifeline_lab.judges import every, within, worked
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="gevent-hub-stall",
    title="gunicorn gevent: a page without database must answer",
    story=(
        "While mysqlclient waits for an answer nothing else in the worker runs: the load "
        "balancer's ping is late and the worker is taken out of service."
    ),
    place="web request, gevent",
    cause="blocking driver",
    program=("web_crowd.py", "gevent", "/reports/", "60"),
    judge=every(worked("visitor reads a report", 60), within(1.0, "ping")),
    drivers=("mysqlclient",),
    settings={"CONN_MAX_AGE": 60},
    patience=60,
)
