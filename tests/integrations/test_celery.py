"""Real Celery workers and a real broker: task boundaries, limits, kills, exactly once, results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.integrations.conftest import Run, needs

EXAMPLE = Path(__file__).parents[2] / "example"
TASKS = {"answers": "abcde", "held": 0, "killed": True}
PREFORK = {
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


@pytest.fixture
def worker(run: Run, redis_url: str) -> Run:
    needs("celery", "celery")
    needs("redis", "redis")

    def call(pool: str, **env: object) -> Any:
        settings = {"INSTALL": "yes", "BROKER": redis_url, "RESULTS": redis_url, **env}
        return run("celery_worker", POOL=pool, **settings)

    return call


@pytest.fixture
def rabbitmq_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A RabbitMQ as the example starts it. Optional: where it is missing the test is skipped."""
    needs("celery", "celery")
    monkeypatch.syspath_prepend(str(EXAMPLE))
    from launch.brokers import rabbitmq
    from launch.processes import DidNotStart

    try:
        broker = rabbitmq(tmp_path)
    except DidNotStart as error:
        pytest.skip(f"{error} (RabbitMQ is optional, so CI goes without it too)")
    with ExitStack() as stack:
        for make in broker.makers.values():
            started = make()
            stack.callback(started.kill)
            started.wait_until_up()
        yield broker.url


def test_prefork_worker_survives_limits_and_kills_and_books_exactly_once(worker: Run) -> None:
    assert worker("prefork") == PREFORK


def test_prefork_worker_on_rabbitmq_survives_kills_and_books_exactly_once(
    run: Run, rabbitmq_url: str
) -> None:
    # Time limits are the worker's own affair, the broker does not hear of them.
    settings = {"INSTALL": "yes", "BROKER": rabbitmq_url, "RESULTS": "rpc://", "LIMITS": "no"}
    said = run("celery_worker", POOL="prefork", **settings)
    assert said == {name: PREFORK[name] for name in ("tasks", "once", "aborted")}


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
