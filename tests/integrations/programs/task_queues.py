"""Real workers of RQ, Huey and Dramatiq with a real Redis, with and without the integrations."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import dramatiq
import huey
import redis
import rq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from tests.integrations.programs import watch
from tests.integrations.programs.watch import (
    aborted,
    ask,
    kill_all,
    say,
    sessions_of_this_database,
    state,
    wait_until,
)

from django_lifeline import pools
from django_lifeline.integrations.base import drain_pools
from django_lifeline.integrations.dramatiq import ConnectionScopeMiddleware
from django_lifeline.integrations.huey import install
from django_lifeline.integrations.rq import SimpleWorker, Worker

URL = os.environ["REDIS"]
PATIENCE = 20
Give = Callable[[str], Any]


def tasks_round_an_idle_loss(give: Give, settled: Callable[[], object]) -> dict[str, Any]:
    """Tasks one after the other; all connections are lost; one more."""
    answers = [give("a"), give("b")]
    settled()
    held = state()["used"]
    killed = kill_all() > 0
    answers.append(give("c"))
    return {"answers": "".join(answers), "held": held, "killed": killed}


def begin() -> None:
    """A pool without connections, as far as the part before has not left it in dead hands."""
    drain_pools()
    kill_all()


def given_back() -> None:
    """Wait for what happens a moment after a result is known."""
    wait_until(lambda: not state()["used"], "for connections to go back")


def nothing() -> None:
    """For those who never give back there is nothing to wait for."""


def rq_jobs(kind: type[rq.worker.BaseWorker]) -> dict[str, Any]:
    """Jobs of a worker that does one at a time, and whether its sessions ended properly."""
    begin()
    connection = redis.Redis.from_url(URL)
    queue = rq.Queue(kind.__module__ + kind.__name__, connection=connection)
    before = aborted()

    def give(tag: str) -> Any:
        job = queue.enqueue(ask, tag)
        kind([queue], connection=connection).work(burst=True, logging_level="CRITICAL")
        return job.return_value()

    answers = "".join(give(tag) for tag in "ab")
    wait_until(lambda: not sessions_of_this_database(), "for the worker's sessions to end")
    rude = aborted() - before
    answers += give("c")
    return {"answers": answers, "aborted": rude}


def rq_parent(kind: type[rq.worker.BaseWorker]) -> dict[str, Any]:
    """What becomes of the connections of a worker that forks for its jobs."""

    class Curious(kind):  # type: ignore[misc, valid-type]
        def monitor_work_horse(self, *args: Any) -> None:
            super().monitor_work_horse(*args)
            ask()

    begin()
    connection = redis.Redis.from_url(URL)
    queue = rq.Queue("parent" + kind.__module__, connection=connection)
    ask()
    job = queue.enqueue(sessions_of_this_database)
    Curious([queue], connection=connection).work(burst=True, logging_level="CRITICAL")
    return {"during_the_job": len(job.return_value()), "at_the_end": state()["open"]}


def rq_simple(kind: type[rq.SimpleWorker]) -> dict[str, Any]:
    """Two jobs in one go: what the first leaves for the second, and what the worker leaves."""
    begin()
    connection = redis.Redis.from_url(URL)
    queue = rq.Queue("simple" + kind.__module__, connection=connection)
    ask()
    pools["default"].drain()
    jobs = [queue.enqueue(ask, tag) for tag in "ab"] + [queue.enqueue(watch.used)]
    kind([queue], connection=connection).work(burst=True, logging_level="CRITICAL")
    *answers, held = (job.return_value() for job in jobs)
    return {"answers": "".join(answers), "held": held, "open": state()["open"]}


def huey_tasks(*, installed: bool) -> dict[str, Any]:
    """Tasks of a consumer with two threads."""
    begin()
    app = huey.RedisHuey(f"tests-{installed}", url=URL)
    if installed:
        install(app)
    task = app.task()(ask)
    consumer = app.create_consumer(workers=2, initial_delay=0.01, max_delay=0.02, periodic=False)
    consumer.start()
    said = tasks_round_an_idle_loss(
        lambda tag: task(tag).get(blocking=True, timeout=PATIENCE),
        given_back if installed else nothing,
    )
    consumer.stop(graceful=True)
    return {**said, "open": state()["open"]}


def dramatiq_messages(*, installed: bool) -> dict[str, Any]:
    """Messages of a worker with two threads."""
    begin()
    broker = RedisBroker(url=URL, namespace=f"tests-{installed}")
    results = RedisBackend(url=URL)
    broker.add_middleware(Results(backend=results))
    if installed:
        broker.add_middleware(ConnectionScopeMiddleware())
    actor = dramatiq.actor(ask, broker=broker, store_results=True)
    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=50)
    worker.start()
    said = tasks_round_an_idle_loss(
        lambda tag: results.get_result(actor.send(tag), block=True, timeout=1000 * PATIENCE),
        given_back if installed else nothing,
    )
    worker.stop()
    broker.close()
    return {**said, "open": state()["open"]}


def main() -> None:
    logging.disable(logging.CRITICAL)
    # Ours first: what the others leave in the hands of ended threads would show.
    ours = {
        "rq": rq_jobs(Worker),
        "rq_parent": rq_parent(Worker),
        "rq_simple": rq_simple(SimpleWorker),
        "huey": huey_tasks(installed=True),
        "dramatiq": dramatiq_messages(installed=True),
    }
    without = {
        "rq": rq_jobs(rq.Worker),
        "rq_parent": rq_parent(rq.Worker),
        "rq_simple": rq_simple(rq.SimpleWorker),
        "huey": huey_tasks(installed=False),
        "dramatiq": dramatiq_messages(installed=False),
    }
    say({"ours": ours, "without": without})


if __name__ == "__main__":
    main()
