"""Real workers of RQ, Huey and Dramatiq with a real broker, beside workers without our hooks."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integrations.conftest import Run, needs


@pytest.fixture(scope="module")
def said(run: Run, redis_port: int) -> Any:
    for module in ("dramatiq", "huey", "rq"):
        needs(module, module)
    return run("task_queues", REDIS=f"redis://127.0.0.1:{redis_port}/1")


def test_rq_ends_each_jobs_session_properly(said: Any) -> None:
    assert said["ours"]["rq"] == {"answers": "abc", "aborted": 0}
    assert said["without"]["rq"] == {"answers": "abc", "aborted": 2}


# Such as Django's checks, which connect before django-rq's command begins to work.
def test_rq_worker_that_forks_keeps_no_connection_of_its_own(said: Any) -> None:
    assert said["ours"]["rq_parent"] == {"during_the_job": 0, "at_the_end": 0}
    assert said["without"]["rq_parent"] == {"during_the_job": 1, "at_the_end": 1}


def test_rq_without_forks_gives_back_between_jobs_and_closes_at_the_end(said: Any) -> None:
    assert said["ours"]["rq_simple"] == {"answers": "ab", "held": 0, "open": 0}
    assert said["without"]["rq_simple"] == {"answers": "ab", "held": 1, "open": 1}


@pytest.mark.parametrize("queue", ["huey", "dramatiq"])
def test_tasks_give_back_and_survive_an_idle_loss(said: Any, queue: str) -> None:
    ours, without = said["ours"][queue], said["without"][queue]
    assert ours == {"answers": "abc", "killed": True, "held": 0, "open": 0}
    assert without.pop("held") > 0
    assert without.pop("open") > 0
    assert without == {"answers": "abc", "killed": True}
