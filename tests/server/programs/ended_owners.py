"""A thread or greenlet ends with something in its hands, and nobody asks the pool for anything.

Garbage collection is off: what is given free is given free by the end itself.
"""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pymysql
from django.db import connection, transaction
from tests.fixtures.program_setup import SETUP, admin

PATIENCE = 10.0


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)


def in_a_block(*statements: str) -> None:
    """Begin a block that nobody ends."""
    transaction.atomic().__enter__()
    execute(*statements)


def without_autocommit(*statements: str) -> None:
    transaction.set_autocommit(False)
    execute(*statements)


UPDATE = "UPDATE thing SET a = a + 1 WHERE id = 1"
USER_LOCK = "SELECT GET_LOCK('held', 0)"

HOLDING: dict[str, Callable[[], None]] = {
    "user lock": lambda: execute(USER_LOCK),
    "user lock in a block": lambda: in_a_block(USER_LOCK),
    "row in a block": lambda: in_a_block(UPDATE),
    "row read for update": lambda: in_a_block("SELECT a FROM thing WHERE id = 1 FOR UPDATE"),
    "row without autocommit": lambda: without_autocommit(UPDATE),
    "row in a transaction of SQL": lambda: execute("BEGIN", UPDATE),
    "row by the driver": lambda: raw("BEGIN", UPDATE),
    "table": lambda: execute("LOCK TABLES thing WRITE"),
    "user lock by the driver": lambda: raw(USER_LOCK),
}


def raw(*statements: str) -> None:
    """Run statements by the driver's connection."""
    connection.ensure_connection()
    for sql in statements:
        cursor = connection.connection.cursor()
        cursor.execute(sql)
        cursor.fetchall()


def is_free() -> bool:
    """Whether another session gets all of it, at once."""
    with (
        pymysql.connect(
            unix_socket=SETUP["server"]["socket"],
            user="root",
            database=SETUP["database"]["NAME"],
            ssl_disabled=True,
        ) as rival,
        rival.cursor() as cursor,
    ):
        cursor.execute("SET SESSION lock_wait_timeout = 1")
        cursor.execute("SELECT IS_USED_LOCK('held')")
        if cursor.fetchone()[0] is not None:
            return False
        try:
            cursor.execute("SELECT a FROM thing WHERE id = 1 FOR UPDATE NOWAIT")
        except pymysql.OperationalError:
            return False
        return True


def held_then_free(hold: Callable[[], None]) -> list[Any]:
    """Whether it was held while the owner lived, and is free when he has ended."""
    holds, may_end = threading.Event(), threading.Event()
    errors: list[str] = []

    def owner() -> None:
        try:
            hold()
        except BaseException as error:
            errors.append(repr(error))
        holds.set()
        may_end.wait()

    thread = threading.Thread(target=owner)
    thread.start()
    holds.wait()
    held = not is_free()
    may_end.set()
    thread.join()
    del thread
    deadline = time.monotonic() + PATIENCE
    while not (free := is_free()) and time.monotonic() < deadline:
        pass  # each look is a session of its own
    return [*errors, held, free]


admin("CREATE TABLE thing (id INT PRIMARY KEY, a INT) ENGINE=InnoDB")
admin("INSERT INTO thing VALUES (1, 0)")
gc.disable()
report = {name: held_then_free(hold) for name, hold in HOLDING.items()}
report["stored"] = [row[0] for row in admin("SELECT a FROM thing")]
print(json.dumps(report))
