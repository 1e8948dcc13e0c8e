"""Under gevent: threads with hubs of their own beside the main one, and greenlets that share.

A socket of gevent's can be used in the thread alone that made it, so that with PyMySQL no
connection may go from one thread to another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from django.db import connection, connections, transaction
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import TABLE, one, outcome, run, say

ROUNDS = 12


def read(number: int) -> Any:
    try:
        return one("default", "SELECT %s + SLEEP(0.005)", [number])
    finally:
        connections["default"].close()


def write(number: int) -> Any:
    try:
        with transaction.atomic():
            run("default", "INSERT INTO note (tag) VALUES (%s)", [f"of {number}"])
            return one(
                "default", "SELECT COUNT(*) + SLEEP(0.005) FROM note WHERE tag = %s", ["none"]
            )
    finally:
        connections["default"].close()


def in_a_thread(work: Callable[[int], Any], number: int) -> Any:
    pool = gevent.get_hub().threadpool
    return outcome(lambda: pool.spawn(work, number).get())


def one_after_the_other(work: Callable[[int], Any]) -> Any:
    return [
        in_a_thread(work, number) if number % 2 else outcome(lambda number=number: work(number))
        for number in range(ROUNDS)
    ]


def at_once(work: Callable[[int], Any]) -> Any:
    jobs = [
        gevent.spawn(in_a_thread, work, number)
        if number % 2
        else gevent.spawn(outcome, lambda number=number: work(number))
        for number in range(ROUNDS)
    ]
    return [job.get() for job in jobs]


def shared() -> Any:
    """Four greenlets use one connection; mysqlclient lets nobody in while a statement runs."""
    mine = connections["default"]
    mine.ensure_connection()
    mine.inc_thread_sharing()

    def ask(number: int) -> list[Any]:
        connections["default"] = mine
        return [outcome(lambda: one("default", "SELECT %s + SLEEP(0.002)", [number]))] * 3

    jobs = [gevent.spawn(ask, number) for number in range(4)]
    said = [job.get() for job in jobs]
    mine.dec_thread_sharing()
    return said


run("default", TABLE)
connection.close()
said: dict[str, Any] = {
    f"{way.__name__}, {work.__name__}": way(work)
    for way in (one_after_the_other, at_once)
    for work in (read, write)
}
said["stored"] = sorted(tag for (tag,) in admin("SELECT tag FROM note"))
said["shared"] = shared() if connection.Database.__name__ == "MySQLdb" else None
say(said)
