"""A loop that serves calls from elsewhere."""

from __future__ import annotations

from lifeline_lab import faults
from lifeline_lab.judges import answers_right, every, nothing_failed, stored
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="rpc-loop",
    title="RPC server: exists(), silence, exists()",
    story=(
        "A Django project behind an RPC server gets 2013 after a silence and 2006 for ever, "
        "since no HTTP request ever looks at CONN_MAX_AGE."
    ),
    place="RPC loop",
    cause="idle timeout",
    program=("rpc_loop.py",),
    faults={"silence": faults.idle_out},
    judge=every(nothing_failed(), answers_right, stored("timeline", [("call", "answered")])),
    variables={"wait_timeout": 1},
    gentle=True,
    quick=True,
)
