"""A real APScheduler with its jobs in the database: idle losses, an outage, other processes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integrations.conftest import Run, needs


@pytest.fixture(scope="module")
def said(run: Run) -> Any:
    needs("apscheduler", "APScheduler")
    return run("apscheduler_jobs")


def test_jobs_give_back_at_their_end_and_survive_an_idle_loss(said: Any) -> None:
    answers = {"first": "first", "second": "second"}
    assert said["ours"] == {"answers": answers, "held": False}
    assert said["killed"] >= 1
    # Healed without the integration too, which holds its connections on.
    assert said["after_idle_loss"] == {"answers": answers, "held": True}


def test_job_runs_in_a_process_that_was_set_up_for_django(said: Any) -> None:
    assert said["process"] == ["elsewhere", True]


def test_scheduler_outlives_an_outage_while_it_stores_the_next_run(said: Any) -> None:
    assert said["outage"] == {"ticks": [["tick", "tick"]] * 3, "alive": True}


def test_store_does_what_apscheduler_asks_of_one(said: Any) -> None:
    assert said["store"] == {
        "jobs": ["sooner", "later", "paused"],
        "stored": ["later", "paused", "sooner"],
        "conflict": "ConflictingIdError",
        "unknown": "JobLookupError",
        "gone": "JobLookupError",
        "lookup": [["a"], None],
        "after": 0,
    }
