"""APScheduler 3: executors that give back after each job, and jobs stored in a Django database.

from django_lifeline.integrations.apscheduler import DjangoJobStore, ThreadPoolExecutor

scheduler = BackgroundScheduler(
    jobstores={"default": DjangoJobStore()},
    executors={"default": ThreadPoolExecutor(10)},
)
"""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, InterfaceError, OperationalError, connections

from django_lifeline.core.backoff import Backoff
from django_lifeline.core.clock import SystemClock
from django_lifeline.exceptions import PacketTooLarge
from django_lifeline.integrations import threads
from django_lifeline.integrations.base import missing
from django_lifeline.integrations.work import named_work

try:
    from apscheduler.executors import pool
    from apscheduler.job import Job
    from apscheduler.jobstores.base import BaseJobStore, ConflictingIdError, JobLookupError
    from apscheduler.util import datetime_to_utc_timestamp, utc_timestamp_to_datetime
except ImportError as error:
    # Version 4 has none of these names.
    raise missing("apscheduler", "APScheduler 3") from error

clock = SystemClock()

PATIENCE = 60.0
"""Seconds for which the job store asks a database again that does not answer."""


def _run_job(run: Callable[..., Any], job: Any, *args: Any) -> Any:
    """Do what APScheduler submits, under the name of the job that it hands over first."""
    with named_work(job.name):
        return run(job, *args)


class _JobThreads(threads.ThreadPoolExecutor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return super().submit(_run_job, fn, *args, **kwargs)


class _JobProcesses(threads.ProcessPoolExecutor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return super().submit(_run_job, fn, *args, **kwargs)


class ThreadPoolExecutor(pool.BasePoolExecutor):
    """Runs jobs in threads that hold no connections between two jobs."""

    def __init__(self, max_workers: int = 10, pool_kwargs: Mapping[str, Any] | None = None) -> None:
        super().__init__(_JobThreads(int(max_workers), **(pool_kwargs or {})))


class ProcessPoolExecutor(pool.ProcessPoolExecutor):
    """Runs jobs in processes that are set up for Django and hold no connections between jobs."""

    def __init__(self, max_workers: int = 10, pool_kwargs: Mapping[str, Any] | None = None) -> None:
        # As APScheduler does: a fork of a process with a scheduler thread is asking for trouble.
        spawn = {"mp_context": multiprocessing.get_context("spawn")}
        self.pool_kwargs = spawn | dict(pool_kwargs or {})
        pool.BasePoolExecutor.__init__(self, _JobProcesses(int(max_workers), **self.pool_kwargs))


class DjangoJobStore(BaseJobStore):
    """Keeps jobs in a table of the database *using*, through Django's connection.

    The table is made at the start, with the columns of APScheduler's own ``SQLAlchemyJobStore``,
    so that one can take the other's place. The scheduler's thread ends for good when its store
    raises while it plans the next run; so this one asks again, for up to *patience* seconds.
    """

    def __init__(
        self,
        using: str = "default",
        tablename: str = "apscheduler_jobs",
        pickle_protocol: int = pickle.HIGHEST_PROTOCOL,
        patience: float = PATIENCE,
    ) -> None:
        self.using = using
        self.tablename = tablename
        self.pickle_protocol = pickle_protocol
        self.patience = patience

    def start(self, scheduler: Any, alias: str) -> None:
        """Make the table if there is none.

        Raises ``ImproperlyConfigured`` for a database that is neither MySQL nor MariaDB.
        """
        vendor = connections[self.using].vendor
        if vendor != "mysql":
            raise ImproperlyConfigured(
                f"DjangoJobStore keeps its jobs in MySQL or MariaDB, but DATABASES[{self.using!r}] "
                f"is of {vendor!r}. Name another one with using=, or take a MemoryJobStore there."
            )
        super().start(scheduler, alias)
        self._insist(
            "CREATE TABLE IF NOT EXISTS {table} (id VARCHAR(191) NOT NULL PRIMARY KEY,"
            " next_run_time DOUBLE NULL, job_state MEDIUMBLOB NOT NULL, INDEX (next_run_time))"
        )

    def lookup_job(self, job_id: str) -> Any:
        """Return the job of that id, None if there is none."""
        rows = self._ask("SELECT job_state FROM {table} WHERE id = %s", job_id)
        return self._job(rows[0][0]) if rows else None

    def get_due_jobs(self, now: datetime) -> list[Any]:
        """Return the jobs to be run by *now*, the earliest first."""
        return self._jobs("WHERE next_run_time <= %s", datetime_to_utc_timestamp(now))

    def get_next_run_time(self) -> datetime | None:
        """Return when the next job is due, None if none is."""
        rows = self._insist("SELECT MIN(next_run_time) FROM {table}")
        next_run_time: datetime | None = utc_timestamp_to_datetime(rows[0][0])
        return next_run_time

    def get_all_jobs(self) -> list[Any]:
        """Return all jobs, the earliest first and paused ones last."""
        jobs = self._jobs("")
        self._fix_paused_jobs_sorting(jobs)
        return jobs

    def add_job(self, job: Any) -> None:
        """Store a new job; raises ``ConflictingIdError`` if its id is taken."""
        try:
            self._ask(
                "INSERT INTO {table} (next_run_time, job_state, id) VALUES (%s, %s, %s)",
                *self._values(job),
            )
        except IntegrityError:
            raise ConflictingIdError(job.id) from None

    def update_job(self, job: Any) -> None:
        """Store a job's new state; raises ``JobLookupError`` if it is not there."""
        sql = "UPDATE {table} SET next_run_time = %s, job_state = %s WHERE id = %s"
        if not self._insist(sql, *self._values(job)):
            raise JobLookupError(job.id)

    def remove_job(self, job_id: str) -> None:
        """Remove a job; raises ``JobLookupError`` if it is not there."""
        if not self._insist("DELETE FROM {table} WHERE id = %s", job_id):
            raise JobLookupError(job_id)

    def remove_all_jobs(self) -> None:
        """Remove all jobs."""
        self._ask("DELETE FROM {table}")

    def _ask(self, sql: str, *values: Any) -> Any:
        """Run a statement and give the connection back: the rows, or how many rows it met."""
        from django_lifeline.scopes import connection_scope

        connection = connections[self.using]
        with connection_scope(self.using), connection.cursor() as cursor:
            table = connection.ops.quote_name(self.tablename)
            cursor.execute(sql.format(table=table), values)
            return cursor.fetchall() if cursor.description else cursor.rowcount

    def _insist(self, sql: str, *values: Any) -> Any:
        """Do as `_ask` and repeat it while the database is away: twice is the same as once."""
        if connections[self.using].in_atomic_block:
            return self._ask(sql, *values)
        backoff = Backoff(clock.monotonic(), self.patience)
        lost = False
        while True:
            try:
                # A row that is not there after a lost answer is one that this has removed.
                return self._ask(sql, *values) or lost
            except PacketTooLarge:
                raise
            except (OperationalError, InterfaceError) as error:
                lost = True
                pause = backoff.next_pause(clock.monotonic())
                if pause is None:
                    raise
                self._logger.warning("Job store %r asks again: %s", self._alias, error)
            clock.sleep(pause)

    def _values(self, job: Any) -> tuple[Any, ...]:
        state = pickle.dumps(job.__getstate__(), self.pickle_protocol)
        return datetime_to_utc_timestamp(job.next_run_time), state, job.id

    def _jobs(self, condition: str, *values: Any) -> list[Any]:
        sql = f"SELECT id, job_state FROM {{table}} {condition} ORDER BY next_run_time, id"
        jobs = []
        for job_id, state in self._ask(sql, *values):
            try:
                jobs.append(self._job(state))
            except Exception:
                # It would be due for ever, and the scheduler would never pause.
                self._logger.exception("Unable to restore job %r: it is removed", job_id)
                self._ask("DELETE FROM {table} WHERE id = %s", job_id)
        return jobs

    def _job(self, state: bytes) -> Any:
        job = Job.__new__(Job)
        job.__setstate__({**pickle.loads(state), "jobstore": self})
        job._scheduler = self._scheduler
        job._jobstore_alias = self._alias
        return job

    def __repr__(self) -> str:
        return f"<DjangoJobStore {self.using}.{self.tablename}>"
