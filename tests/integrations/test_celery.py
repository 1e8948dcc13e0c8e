"""Real Celery workers and a real broker: task boundaries, limits, kills, exactly once, results."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integrations.conftest import Run, needs

TASKS = {"answers": "abcde", "held": 0, "killed": True}


@pytest.fixture
def worker(run: Run, redis_url: str) -> Run:
    needs("celery", "celery")
    needs("redis", "redis")

    def call(pool: str, **env: object) -> Any:
        settings = {"INSTALL": "yes", "BROKER": redis_url, "RESULTS": redis_url, **env}
        return run("celery_worker", POOL=pool, **settings)

    return call


def test_prefork_worker_survives_limits_and_kills_and_books_exactly_once(worker: Run) -> None:
    assert worker("prefork") == {
        "tasks": TASKS,
        "limits": {"soft": "right", "hard": "TimeLimitExceeded", "after": "xyz"},
        "once": {
            "killed": "had been booked",
            "unanswered": "had been booked",
            "fired": True,
            "rows": ["killed", "unanswered"],
        },
        "aborted": 0,
    }


def test_gevent_worker_gives_back_and_survives_a_limit(worker: Run) -> None:
    limits = {"soft": "", "hard": "TimeLimitExceeded", "after": "xyz"}
    assert worker("gevent") == {"tasks": TASKS, "limits": limits}


def test_threads_worker_gives_back_after_each_task(worker: Run) -> None:
    assert worker("threads") == {"tasks": TASKS, "aborted": 0}


def test_without_the_integration_tasks_and_results_in_the_database_survive_too(
    worker: Run,
) -> None:
    needs("django_celery_results", "django-celery-results")
    tasks = worker("threads", INSTALL="no", RESULTS="django-db")["tasks"]
    assert tasks.pop("held") > 0
    assert tasks == {"answers": "abcde", "killed": True}
