"""Twenty greenlets use Django's cursors at once; SCENARIO says how. Tells what was seen."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import gevent
from django.db import connection, transaction
from gevent.event import Event
from tests.fixtures.program_setup import admin

GREENLETS = 20
Seen = dict[str, Any]


class Ticks:
    """Counts how often the hub gets to run others while queries are on their way."""

    def __init__(self) -> None:
        self.count = 0
        self._greenlet = gevent.spawn(self._tick)

    def _tick(self) -> None:
        while True:
            gevent.sleep(0.005)
            self.count += 1

    def stop(self) -> int:
        self._greenlet.kill()
        return self.count


def run_all(work: Callable[[int], object], greenlets: int = GREENLETS) -> list[Any]:
    """Run ``work`` in that many greenlets; what each of them returned."""
    jobs = [gevent.spawn(work, number) for number in range(greenlets)]
    gevent.joinall(jobs, raise_error=True)
    return [job.value for job in jobs]


def sleepers() -> Seen:
    """Each waits for a slow answer; how many of them wait at the same time?"""
    now = most = 0

    def work(number: int) -> bool:
        nonlocal now, most
        with connection.cursor() as cursor:
            now += 1
            most = max(most, now)
            cursor.execute("SELECT %s, SLEEP(0.1)", [number])
            now -= 1
            right = bool(int(cursor.fetchone()[0]) == number)
        connection.close()
        return right

    run_all(lambda number: work(number))  # opens the connections
    now = most = 0
    ticks = Ticks()
    right = run_all(work)
    return {"right": sum(right), "together": most, "ticks": ticks.stop()}


def transactions() -> Seen:
    """Commits, rollbacks and savepoints of many greenlets, all of them waiting for a lock."""
    admin("CREATE TABLE counter (id INT PRIMARY KEY, n INT) ENGINE=InnoDB")
    admin("INSERT INTO counter VALUES (1, 0)")
    ticks = Ticks()

    def add(savepoint: bool) -> None:
        with transaction.atomic(savepoint=savepoint), connection.cursor() as cursor:
            cursor.execute("UPDATE counter SET n = n + 1 WHERE id = 1")
            cursor.execute("SELECT SLEEP(0.01)")

    def work(number: int) -> None:
        try:
            with transaction.atomic():
                add(savepoint=True)
                if number % 2:
                    raise RuntimeError
                with transaction.atomic():
                    with connection.cursor() as cursor:
                        cursor.execute("UPDATE counter SET n = n + 100 WHERE id = 1")
                    transaction.set_rollback(True)
        except RuntimeError:
            pass
        connection.close()

    run_all(work)
    [[total]] = admin("SELECT n FROM counter")
    return {"stored": int(total), "ticks": ticks.stop()}


def queue() -> Seen:
    """Greenlets wait for the one connection, and are served in the order in which they came."""
    order: list[int] = []
    holds, over = Event(), Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            holds.set()
            over.wait()
        connection.close()

    def work(number: int) -> None:
        with connection.cursor() as cursor:
            order.append(number)
            cursor.execute("SELECT SLEEP(0.002)")
        connection.close()

    holder = gevent.spawn(hold)
    holds.wait()
    jobs = []
    for number in range(GREENLETS):
        jobs.append(gevent.spawn(work, number))
        while connection.pool.stats().waiting <= number:
            gevent.sleep(0)
    over.set()
    gevent.joinall([holder, *jobs], raise_error=True)
    return {"order": order}


SCENARIOS: dict[str, Callable[[], Seen]] = {
    "sleepers": sleepers,
    "transactions": transactions,
    "queue": queue,
}
print(json.dumps(SCENARIOS[os.environ["SCENARIO"]]()))
