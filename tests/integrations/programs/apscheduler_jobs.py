"""A real APScheduler whose jobs are in the database, through an idle loss and a short outage."""

from __future__ import annotations

import logging
import os
import queue
import threading
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor as StockExecutor
from apscheduler.jobstores.base import ConflictingIdError, JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from tests.integrations.programs.watch import admin, ask, kill_all, say, state, wait_until
from tests.server.programs.toolbox import database

from django_lifeline.integrations.apscheduler import (
    DjangoJobStore,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from lifeline_lab.wire import WireProxy

finished: queue.Queue[tuple[str, Any]] = queue.Queue()
PATIENCE = 20


def work(name: str) -> None:
    """A job that asks the database for its own name."""
    try:
        finished.put((name, ask(name)))
    except BaseException as error:
        finished.put((name, repr(error)))


def report(name: str) -> None:
    """A job in another process, which tells of itself in the database."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO told VALUES (%s, %s)", [name, os.getpid()])


def rest(*names: str) -> dict[str, Any]:
    """What these jobs found, and what the pool looks like once all is quiet."""
    found = dict(finished.get(timeout=PATIENCE) for _ in names)
    wait_until(lambda: not scheduler.get_jobs(), "for the last job to be removed")
    return found


def run_two(kind: type) -> dict[str, Any]:
    """Two jobs at the same time in threads of this executor; then the pool."""
    scheduler.add_executor(kind(2), alias=kind.__module__)
    for name in ("first", "second"):
        scheduler.add_job(work, args=[name], id=name, executor=kind.__module__)
    answers = rest("first", "second")
    if kind is ThreadPoolExecutor:
        wait_until(lambda: not state()["used"], "for the threads to give back")
    return {"answers": answers, "held": state()["used"] > 0}


def outage() -> dict[str, Any]:
    """The database is away just when the scheduler stores a job's next run."""
    running, away = threading.Event(), threading.Event()

    class Pausing(DjangoJobStore):
        def update_job(self, job: Any) -> None:
            running.set()
            away.wait(PATIENCE)
            super().update_job(job)

    with WireProxy("127.0.0.1", int(os.environ["SERVER_PORT"])) as proxy:
        database("away", "lifeline", HOST="127.0.0.1", PORT=proxy.port)
        store = Pausing("away", tablename="jobs_away")
        scheduler.add_jobstore(store, alias="away")
        scheduler.add_job(work, "interval", seconds=0.3, args=["tick"], id="tick", jobstore="away")
        running.wait(PATIENCE)
        proxy.refuse()
        proxy.cut()
        away.set()
        wait_until(lambda: "asks again" in logged[-1], "for the store to meet the outage")
        proxy.resume()
        ticks = [finished.get(timeout=PATIENCE) for _ in range(3)]
        scheduler.remove_job("tick", jobstore="away")
        scheduler.remove_jobstore("away")
    return {"ticks": ticks, "alive": scheduler.running}


def store_alone() -> dict[str, Any]:
    """What APScheduler asks of any store: conflicts, unknown ids, order, what cannot be read."""
    scheduler.pause()
    later = scheduler.add_job(work, "interval", hours=2, args=["b"], id="later")
    scheduler.add_job(work, "interval", hours=1, args=["a"], id="sooner")
    scheduler.add_job(work, "interval", hours=1, args=["c"], id="paused", next_run_time=None)
    admin("INSERT INTO apscheduler_jobs VALUES ('unreadable', 1, 'x')")
    said: dict[str, Any] = {"jobs": [job.id for job in scheduler.get_jobs()]}
    said["stored"] = sorted(row[0] for row in admin("SELECT id FROM apscheduler_jobs"))
    for name, call in {
        "conflict": lambda: store.add_job(later),
        "unknown": lambda: store.remove_job("nobody"),
        "gone": lambda: (store.remove_job("later"), store.update_job(later)),
    }.items():
        try:
            call()
        except (ConflictingIdError, JobLookupError) as error:
            said[name] = type(error).__name__
    said["lookup"] = [store.lookup_job("sooner").args, store.lookup_job("nobody")]
    scheduler.remove_all_jobs()
    said["after"] = admin("SELECT COUNT(*) FROM apscheduler_jobs")[0][0]
    return said


class Remember(logging.Handler):
    """Keeps what was logged."""

    def emit(self, record: logging.LogRecord) -> None:
        logged.append(record.getMessage())


if __name__ == "__main__":
    logged = [""]
    logging.getLogger("apscheduler").addHandler(Remember())
    logging.getLogger("apscheduler").propagate = False
    admin("CREATE TABLE told (name VARCHAR(20), pid INT)")
    store = DjangoJobStore()
    scheduler = BackgroundScheduler(
        jobstores={"default": store}, timezone="UTC", job_defaults={"misfire_grace_time": None}
    )
    scheduler.start()
    said: dict[str, Any] = {"ours": run_two(ThreadPoolExecutor)}
    said["killed"] = kill_all()
    said["after_idle_loss"] = run_two(StockExecutor)
    scheduler.add_executor(ProcessPoolExecutor(1), alias="process")
    scheduler.add_job(report, args=["elsewhere"], executor="process")
    wait_until(lambda: admin("SELECT * FROM told"), "for the other process")
    [(name, pid)] = admin("SELECT * FROM told")
    said["process"] = [name, pid != os.getpid()]
    said["outage"] = outage()
    said["store"] = store_alone()
    scheduler.shutdown()
    say(said)
