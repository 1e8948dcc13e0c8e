"""A piece of work sets something and sets it back at its end; the connection is lost in between.

At every point: before and after each statement, commit, rollback and savepoint. Once the session
is killed, once no other can be had until the piece of work is over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import call_command
from django.db import connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.stock.programs.workshop import (
    TABLE,
    Points,
    alias,
    kill,
    one,
    outcome,
    run,
    say,
)

USER, PASSWORD = SETUP["database"]["NAME"], "only-for-this-test"
MAIN = SETUP["database"]["NAME"]
OTHER = f"{MAIN}_other"
SEEN = "SELECT CONCAT_WS('|', DATABASE(), @@foreign_key_checks, @@time_zone, @@lock_wait_timeout)"


def insert(tag: str) -> None:
    run(NAME, "INSERT INTO note (tag) VALUES (%s)", [tag])


@contextmanager
def other_time_zone() -> Iterator[None]:
    run(NAME, "SET time_zone = '+05:00'")
    try:
        yield
    finally:
        run(NAME, "SET time_zone = %s", ["SYSTEM"])


def where_it_was_sent_before() -> None:
    outcome(lambda: insert("one"))
    insert("two")


def unchecked() -> None:
    with connections[NAME].constraint_checks_disabled():
        insert("one")


def unchecked_in_a_block() -> None:
    with transaction.atomic(NAME), connections[NAME].constraint_checks_disabled():
        insert("one")
        insert("two")


def unchecked_round_a_block() -> None:
    with connections[NAME].constraint_checks_disabled(), transaction.atomic(NAME):
        insert("one")


def unchecked_in_a_block_within() -> None:
    with transaction.atomic(NAME):
        insert("one")
        with transaction.atomic(NAME), connections[NAME].constraint_checks_disabled():
            insert("two")


def unchecked_by_hand() -> None:
    connections[NAME].set_autocommit(False)
    try:
        with connections[NAME].constraint_checks_disabled():
            insert("one")
        connections[NAME].commit()
    except BaseException:
        connections[NAME].rollback()
        raise
    finally:
        connections[NAME].set_autocommit(True)


def in_a_begun_one() -> None:
    run(NAME, "BEGIN")
    with connections[NAME].constraint_checks_disabled():
        insert("one")
    run(NAME, "COMMIT")


def with_a_parameter() -> None:
    with other_time_zone():
        insert("one")


def with_a_parameter_in_a_block() -> None:
    with transaction.atomic(NAME), other_time_zone():
        insert("one")


def in_another_database() -> None:
    run(NAME, f"USE {OTHER}")
    try:
        insert("one")
    finally:
        run(NAME, f"USE {MAIN}")


def in_another_database_in_a_block() -> None:
    with transaction.atomic(NAME):
        in_another_database()


def flush() -> None:
    call_command("flush", database=NAME, interactive=False, verbosity=0)


WORK: list[Callable[[], None]] = [
    where_it_was_sent_before,
    unchecked,
    unchecked_in_a_block,
    unchecked_round_a_block,
    unchecked_in_a_block_within,
    unchecked_by_hand,
    in_a_begun_one,
    with_a_parameter,
    with_a_parameter_in_a_block,
    in_another_database,
    in_another_database_in_a_block,
    flush,
]


PART = frozenset(os.environ["PART"].split())
"""Which of these, by name."""


def theirs() -> set[int]:
    rows = admin(f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'")
    return {int(row[0]) for row in rows}


def end() -> None:
    kill(*theirs())


def go_away() -> None:
    admin(f"ALTER USER '{USER}'@'%' ACCOUNT LOCK")
    end()


def at(number: int, work: Callable[[], None], strike: Callable[[], None], owed: bool) -> Any:
    """What came of it, and what is set in the session afterwards; None: it has no such point."""
    admin("DELETE FROM note")
    if owed:
        run(NAME, "SET lock_wait_timeout = 77")
    if work is where_it_was_sent_before:
        run(NAME, f"USE {OTHER}")
    fresh = one(NAME, SEEN)
    points = Points(NAME, number, strike)
    with points.watched():
        told = outcome(work)
    admin(f"ALTER USER '{USER}'@'%' ACCOUNT UNLOCK")
    outcome(lambda: one(NAME, "SELECT 1"))  # stock may meet the loss here
    if told is not None:
        outcome(lambda: connections[NAME].rollback())
    afterwards = outcome(lambda: one(NAME, SEEN))
    connections[NAME].close()
    end()
    return [points.name, "ok" if told is None else told, fresh, afterwards] if points.name else None


admin(f"CREATE DATABASE {OTHER}")
for database in (MAIN, OTHER):
    admin(TABLE.replace("note", f"{database}.note"))
connections["default"].close()
admin(f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'")
admin(f"GRANT ALL ON *.* TO '{USER}'@'%'")
report: dict[str, Any] = {}
try:
    NAME = alias(USER=USER, PASSWORD=PASSWORD, CONN_MAX_AGE=None)
    for strike in (end, go_away):
        for each in (work for work in WORK if work.__name__ in PART):
            for owed in (False, True):
                number, cell = 1, at(1, each, strike, owed)
                while cell is not None:
                    report[f"{strike.__name__}, {each.__name__}, {owed}, {number}"] = cell
                    number += 1
                    cell = at(number, each, strike, owed)
finally:
    for name in connections:
        connections[name].close()
    admin(f"DROP USER '{USER}'@'%'")
    admin(f"DROP DATABASE {OTHER}")
say(report)
