"""A cursor is used late: its connection is in another thread's hands, in the middle of an answer.

With this engine there is one connection for both threads; with stock Django each has its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connections
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import LIFELINE, TABLE, alias, one, outcome, run, say

NAME = alias(
    CONN_MAX_AGE=None, OPTIONS={"pool": {"max_size": 1, "timeout": 20}} if LIFELINE else {}
)
ROWS = "SELECT tag FROM note ORDER BY id LIMIT 4"


def unused(cursor: Any) -> None:
    """It ran nothing: there was nothing to insert, for one."""


def read_wholly(cursor: Any) -> None:
    cursor.execute(ROWS)
    cursor.fetchall()


def not_read(cursor: Any) -> None:
    cursor.execute(ROWS)


def read_in_part(cursor: Any) -> None:
    cursor.execute(ROWS)
    cursor.fetchone()


def inserted(cursor: Any) -> None:
    cursor.execute("INSERT INTO note (tag) VALUES ('late')")


def inserted_many(cursor: Any) -> None:
    cursor.executemany("INSERT INTO note (tag) VALUES (%s)", [["m"], ["n"]])


def failed(cursor: Any) -> None:
    outcome(lambda: cursor.execute("SELECT * FROM nothing_of_that_name"))


def closed(cursor: Any) -> None:
    cursor.execute(ROWS)
    cursor.close()


STATES = [unused, read_wholly, not_read, read_in_part, inserted, inserted_many, failed, closed]

USES: dict[str, Callable[[Any], Any]] = {
    "close": lambda cursor: cursor.close(),
    "close twice": lambda cursor: (cursor.close(), cursor.close()),
    "nextset": lambda cursor: cursor.nextset(),
    "fetchone": lambda cursor: cursor.fetchone(),
    "fetchmany": lambda cursor: cursor.fetchmany(2),
    "fetchmany by name": lambda cursor: cursor.fetchmany(size=1),
    "fetchall": lambda cursor: cursor.fetchall(),
    "scroll": lambda cursor: cursor.scroll(1),
    "iteration": lambda cursor: list(cursor),
    "numbers": lambda cursor: [cursor.rowcount, cursor.arraysize],
    "description": lambda cursor: cursor.description and cursor.description[0][0],
    "leaving its block": lambda cursor: cursor.__exit__(None, None, None),
    "close after rows": lambda cursor: (cursor.fetchall(), cursor.close()),
    "nextset after rows": lambda cursor: (cursor.fetchall(), cursor.nextset()),
}


def used_late(state: Callable[[Any], None], use: Callable[[Any], Any]) -> list[Any]:
    """What the late use says, what the other thread reads meanwhile, and what comes afterwards."""
    in_the_middle, go_on = threading.Event(), threading.Event()
    others: list[Any] = []

    def other() -> None:
        with connections[NAME].cursor() as cursor:
            cursor.callproc("two_results")
            others.append(cursor.fetchall())
            in_the_middle.set()
            go_on.wait()
            for step in (cursor.nextset, cursor.fetchall, cursor.nextset):
                others.append(outcome(step))
        others.append(outcome(lambda: one(NAME, "SELECT 5")))
        connections[NAME].close()

    cursor = connections[NAME].cursor()
    state(cursor)
    thread = threading.Thread(target=other)
    thread.start()
    in_the_middle.wait()
    said = outcome(lambda: use(cursor))
    go_on.set()
    thread.join()
    return [said, others, outcome(lambda: one(NAME, "SELECT 6"))]


def used_beside_unread(state: Callable[[Any], None], use: Callable[[Any], Any], kept: bool) -> Any:
    """What a use says while another cursor of the thread has results to come, or had them."""
    connections[NAME].close()
    cursor, other = connections[NAME].cursor(), connections[NAME].cursor()
    state(cursor)
    said = [outcome(lambda: other.callproc("two_results"))]
    if not kept:
        del other
    said.append(outcome(lambda: use(cursor)))
    said.append(outcome(lambda: one(NAME, "SELECT 6")))
    if kept:
        said += [outcome(other.fetchall), outcome(other.nextset), outcome(other.close)]
    said.append(outcome(lambda: one(NAME, "SELECT 7")))
    connections[NAME].close()
    return [*said, outcome(lambda: one(NAME, "SELECT 8"))]


run("default", TABLE)
run("default", "INSERT INTO note (tag) VALUES ('a'), ('b'), ('c'), ('d')")
admin("CREATE PROCEDURE two_results() BEGIN SELECT 'first'; SELECT 'second'; END")
say(
    {
        f"{state.__name__}, {name}": used_late(state, use)
        for state in STATES
        for name, use in USES.items()
    }
    | {
        f"{state.__name__}, {name}, another is {'kept' if kept else 'dropped'}": used_beside_unread(
            state, use, kept
        )
        for state in STATES
        for name, use in USES.items()
        for kept in (True, False)
    }
)
