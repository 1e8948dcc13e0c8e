"""An export over a server-side cursor."""

from __future__ import annotations

from lifeline_lab.judges import answers_right, every, nothing_failed
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="server-side-cursor",
    title="Server-side iteration is left alone",
    story="An export reads row by row; a pool that checks busy connections would cut it off.",
    place="server-side iteration",
    cause="no loss at all",
    program=("read_along.py",),
    judge=every(answers_right, nothing_failed()),
    must_break=(),
    control=True,
)
