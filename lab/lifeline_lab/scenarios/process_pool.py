"""A multiprocessing pool and its parent."""

from __future__ import annotations

from lifeline_lab.judges import answers_right, every, nothing_failed
from lifeline_lab.scenario import Scenario

SCENARIO = Scenario(
    name="process-pool",
    title="Process pool while the parent keeps querying",
    story="A multiprocessing pool forked after the first query answers with other processes' rows.",
    place="process pool",
    cause="fork",
    program=("process_pool.py",),
    judge=every(answers_right, nothing_failed()),
    gentle=True,
    quick=True,
    patience=15,
)
