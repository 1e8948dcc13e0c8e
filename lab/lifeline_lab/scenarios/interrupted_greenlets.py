"""Greenlets killed in the middle of a query."""

from __future__ import annotations

from lifeline_lab.judges import answers_right, every, nothing_failed, worked
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="interrupted-greenlets",
    title="Greenlet killed in the middle of a query",
    story=(
        "A gevent Timeout ends a slow query; the connection is used again with an answer under way."
    ),
    place="greenlets",
    cause="interruption in the middle of a query",
    program=("interrupted_greenlets.py",),
    judge=every(answers_right, nothing_failed(), worked("ask after the limit", 6)),
    must_break_with={"mysqlclient": ()},
    gentle=True,
)
