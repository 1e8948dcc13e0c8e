"""What a piece of work leaves in its session, and whether the next one of this thread finds it.

Each thing that can be left, with each value of ``CONN_MAX_AGE``, with and without health checks;
each fate of the session in between. Another thread looks, too: it finds nothing, ever.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from django.core.signals import request_finished, request_started
from django.db import connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.stock.programs.workshop import (
    LIFELINE,
    TABLE,
    alias,
    in_thread,
    kill,
    outcome,
    run,
    say,
    session_id,
)

MAIN = SETUP["database"]["NAME"]
OTHER = f"{MAIN}_other"
PART = frozenset(os.environ["PART"].split(";"))
"""Which of the things below, by name."""
NAME = ""


def sql(*texts: str) -> Callable[[], Any]:
    def do() -> Any:
        return [run(NAME, text) for text in texts][-1]

    return do


def many() -> None:
    with connections[NAME].cursor() as cursor:
        cursor.executemany("SET @x = %s", [[1], [5]])


def by_the_drivers_object() -> None:
    below = connections[NAME].connection.cursor()
    below.execute("SET time_zone = '+05:00'")
    below.close()


LEFT: dict[str, tuple[Callable[[], Any], str]] = {
    "nothing": (sql("SELECT 1"), "SELECT 1"),
    "database": (sql(f"USE {OTHER}"), "SELECT DATABASE()"),
    "sql_mode": (sql("SET sql_mode = 'ANSI'"), "SELECT @@sql_mode"),
    "time_zone": (sql("SET time_zone = '+05:00'"), "SELECT @@time_zone"),
    "names": (sql("SET NAMES latin1"), "SELECT @@character_set_client"),
    "checks": (sql("SET foreign_key_checks = 0"), "SELECT @@foreign_key_checks"),
    "no literal": (sql("SET lock_wait_timeout = 70 + 7"), "SELECT @@lock_wait_timeout"),
    "variable": (sql("SET @x = 5"), "SELECT @x"),
    "variable, by a select": (sql("SELECT @x := 5"), "SELECT @x"),
    "variable, into": (sql("SELECT 5 INTO @x"), "SELECT @x"),
    "variable, by a batch": (many, "SELECT @x"),
    "procedure": (sql("CALL change_zone()"), "SELECT @@time_zone"),
    "driver's object": (by_the_drivers_object, "SELECT @@time_zone"),
    "temporary table": (
        sql("CREATE TEMPORARY TABLE scratch (a INT)", "INSERT INTO scratch VALUES (1)"),
        "SELECT COUNT(*) FROM scratch",
    ),
    "lock": (
        sql("SELECT GET_LOCK('the lock', 5)"),
        "SELECT COALESCE(IS_USED_LOCK('the lock') = CONNECTION_ID(), 0)",
    ),
    "locked tables": (sql("LOCK TABLES note READ"), "INSERT INTO note (tag) VALUES ('locked')"),
    "prepared": (sql("PREPARE s FROM 'SELECT 5'"), "EXECUTE s"),
    "handler": (sql("HANDLER note OPEN"), "HANDLER note READ FIRST"),
    "next is read only": (
        sql("SET TRANSACTION READ ONLY"),
        "INSERT INTO note (tag) VALUES ('refused')",
    ),
    "read only": (
        sql("SET SESSION TRANSACTION READ ONLY"),
        "INSERT INTO note (tag) VALUES ('refused')",
    ),
    "begun": (
        sql("BEGIN", "INSERT INTO note (tag) VALUES ('begun')"),
        "SELECT COUNT(*) FROM note WHERE tag = 'begun'",
    ),
    "autocommit off": (
        sql("SET autocommit = 0", "INSERT INTO note (tag) VALUES ('off')"),
        "SELECT COUNT(*) FROM note WHERE tag = 'off'",
    ),
    "autocommit off, by Django": (
        lambda: (transaction.set_autocommit(False, NAME), insert("by Django")),
        "SELECT COUNT(*) FROM note WHERE tag = 'by Django'",
    ),
    "two of them": (
        sql("SELECT GET_LOCK('the lock', 5)", "SET @x = 5", f"USE {OTHER}"),
        "SELECT CONCAT(DATABASE(), COALESCE(IS_USED_LOCK('the lock') = CONNECTION_ID(), 0), @x)",
    ),
    "given": (lambda: insert("given"), "SELECT LAST_INSERT_ID() > 0"),
}


def insert(tag: str) -> None:
    run(NAME, "INSERT INTO note (tag) VALUES (%s)", [tag])


def close_old() -> None:
    """As Django does before and after a request, yet for this alias alone."""
    connections[NAME].close_if_unusable_or_obsolete()


def two_ends() -> None:
    close_old()
    close_old()


def request() -> None:
    """As it is of a web server: what listens to these signals ends the piece of work."""
    request_finished.send(sender=None)
    request_started.send(sender=None, environ={})


def end_with_an_error() -> None:
    outcome(lambda: run(NAME, "SELECT nothing"))
    close_old()


def killed() -> None:
    kill(*held())
    close_old()


def ends_and_killed() -> None:
    close_old()
    kill(*held())


def closed() -> None:
    connections[NAME].close()


def held() -> list[int]:
    rows = admin(f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'")
    return [int(row[0]) for row in rows]


BETWEEN = {
    each.__name__: each
    for each in (close_old, two_ends, request, end_with_an_error, killed, ends_and_killed, closed)
}
USER, PASSWORD = MAIN, "only-for-this-test"


def others_look(ask: str) -> Any:
    def look() -> Any:
        said = outcome(lambda: run(NAME, ask))
        connections[NAME].close()
        return said

    return in_thread(look)


def cell(left: str, between: str) -> list[Any]:
    """What was asked before and after: by its thread, twice, and by another; and what is stored."""
    do, ask = LEFT[left]
    admin("DELETE FROM note")
    admin("INSERT INTO note (id, tag) VALUES (1, 'first')")
    new = outcome(lambda: run(NAME, ask))
    if left in ("locked tables", "next is read only", "read only"):
        admin("DELETE FROM note WHERE tag <> 'first'")
    failed = outcome(do)
    was = run(NAME, ask) if left in ("database", "lock", "two of them") else None
    first = session_id(NAME) if left != "given" else 0
    BETWEEN[between]()
    elsewhere = others_look(ask) if left in SEEN_ALONE else None
    after = [outcome(lambda: run(NAME, ask)) for _ in range(2)]
    same = outcome(lambda: session_id(NAME)) == first if left != "given" else None
    wrapper = connections[NAME]
    stuck = [wrapper.in_atomic_block, wrapper.autocommit, wrapper.needs_rollback]
    wrapper.close()
    if not wrapper.autocommit:
        wrapper.autocommit = True
    stored = admin("SELECT COUNT(*) FROM note")
    return [new, str(failed), was, after, elsewhere, stuck, stored, same]


SEEN_ALONE = ("database", "sql_mode", "time_zone", "names", "variable", "prepared")
"""What others would not wait for."""

admin(f"CREATE DATABASE {OTHER}")
for database in (MAIN, OTHER):
    admin(TABLE.replace("note", f"{database}.note"))
admin(f"CREATE PROCEDURE {MAIN}.change_zone() BEGIN SET time_zone = '+05:00'; END")
connections["default"].close()
admin(f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'")
admin(f"GRANT ALL ON *.* TO '{USER}'@'%'")
report: dict[str, Any] = {}
POOLS = {"unbounded": {}, "bounded": {"pool": {"max_size": 2}}} if LIFELINE else {"unbounded": {}}
try:
    for pool, options in POOLS.items():
        for age in (None, 60, 0):
            for checks in (False, True):
                NAME = alias(
                    USER=USER,
                    PASSWORD=PASSWORD,
                    CONN_MAX_AGE=age,
                    CONN_HEALTH_CHECKS=checks,
                    OPTIONS=options,
                )
                for left in (each for each in LEFT if each in PART):
                    for between in BETWEEN:
                        title = f"{left}; {between}; {age}, {checks}, {pool}"
                        report[title] = cell(left, between)
                connections[NAME].close()
finally:
    for name in connections:
        connections[name].close()
    admin(f"DROP USER '{USER}'@'%'")
    admin(f"DROP DATABASE {OTHER}")
say(json.loads(json.dumps(report, default=str).replace(MAIN, "here")))
