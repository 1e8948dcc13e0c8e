"""Forked child queries."""

from __future__ import annotations

from lifeline_lab.judges import answers_right, every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="fork-child-queries",
    title="Forked child queries",
    story="The child uses the connection it inherited, and so does its parent.",
    place="forked child",
    cause="fork",
    program=("forks.py", "queries"),
    judge=every(
        nothing_failed(),
        answers_right,
        stored(
            "timeline",
            [
                *(("child", f"child {n}") for n in range(3)),
                *(("parent", f"after child {n}") for n in range(3)),
            ],
        ),
    ),
    # Without TLS, and one after the other, both get their own answers over the one socket.
    must_break_with={"mariadb/pymysql": (), "yours/pymysql": ()},
    gentle=True,
    patience=12,
)
