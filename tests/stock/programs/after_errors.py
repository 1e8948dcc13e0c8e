"""What runs in a block after a statement of it was answered with an error, which is swallowed.

Every kind of error, every kind of statement after it, and every end of the block, with a loss of
the connection before the end and without.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.db import Error, connections, transaction
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import (
    DRIVER,
    FLAVOUR,
    TABLE,
    alias,
    kill,
    outcome,
    run,
    say,
    session_id,
    wait_until,
)

STREAMING = import_module("MySQLdb.cursors" if DRIVER == "mysqlclient" else "pymysql.cursors")
NAME = alias()
STREAMS = alias(OPTIONS={"cursorclass": STREAMING.SSCursor})
WAITS = "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"


def somebody_waits() -> object:
    """Ask seldom: the server shows what it has kept to whoever asks again within 0.1 s."""
    time.sleep(0.2)
    return admin(WAITS)


class Undone(Exception):
    """The author's own reason to roll back."""


def deadlock(name: str, take: Callable[[], object]) -> None:
    """Have *take* answered with 1213: another transaction, which is heavier, holds what it wants.

    It has row 1 of ``lock_me`` and wants row 2, which we take before.
    """
    ready = threading.Event()

    def other() -> None:
        with transaction.atomic("other"):
            run("other", "INSERT INTO heavy SELECT seq FROM numbers")
            run("other", "SELECT * FROM lock_me WHERE id = 1 FOR UPDATE")
            ready.set()
            wait_until(somebody_waits, "for the other to wait")
            outcome(lambda: run("other", "SELECT * FROM lock_me WHERE id = 2 FOR UPDATE"))
        connections["other"].close()

    run(name, "SELECT * FROM lock_me WHERE id = 2 FOR UPDATE")
    thread = threading.Thread(target=other)
    thread.start()
    ready.wait()
    try:
        take()
    finally:
        thread.join()


def by_a_deadlock(name: str) -> None:
    deadlock(name, lambda: run(name, "SELECT * FROM lock_me WHERE id = 1 FOR UPDATE"))


def by_a_trigger(name: str) -> None:
    run(name, "INSERT INTO refuses VALUES (1)")


def by_a_duplicate(name: str) -> None:
    run(name, "INSERT INTO note (id, tag) VALUES (1, 'again')")


def by_a_wrong_name(name: str) -> None:
    run(name, "SELECT nothing FROM note")


def by_a_lock(name: str) -> None:
    """MariaDB finds a deadlock of user locks, and leaves the transaction as it is."""
    ready = threading.Event()

    def other() -> None:
        run("other", "SELECT GET_LOCK('two', 5)")
        ready.set()
        outcome(lambda: run("other", "SELECT GET_LOCK('one', 5)"))
        connections["other"].close()

    run(name, "SELECT GET_LOCK('one', 5)")
    thread = threading.Thread(target=other)
    thread.start()
    ready.wait()
    waits = "SELECT 1 FROM information_schema.processlist WHERE state LIKE 'User lock%'"
    wait_until(lambda: admin(waits), "for the other to wait")
    try:
        run(name, "SELECT GET_LOCK('two', 5)")
    finally:
        outcome(lambda: run(name, "SELECT RELEASE_LOCK('one')"))
        thread.join()


def by_a_deadlock_in_the_rows(name: str) -> None:
    """Rows that need no waiting come first, and are many enough to be sent."""

    def read() -> None:
        with connections[name].cursor() as cursor:
            cursor.execute("SELECT id, pad FROM lock_me WHERE id < 2 ORDER BY id FOR UPDATE")
            while cursor.fetchone():
                pass

    deadlock(name, read)


def in_the_rows(name: str) -> None:
    """The answer has begun, and ends in an error."""
    with connections[name].cursor() as cursor:
        cursor.execute(
            "SELECT a.seq, IF(a.seq + b.seq < 390, 1, (SELECT 1 UNION SELECT 2))"
            " FROM numbers a, numbers b ORDER BY a.seq + b.seq"
        )
        while cursor.fetchone():
            pass


ERRORS: dict[Callable[[str], None], str] = {
    **dict.fromkeys([by_a_deadlock, by_a_trigger, by_a_duplicate, by_a_wrong_name], NAME),
    by_a_lock: NAME,
    in_the_rows: STREAMS,
    by_a_deadlock_in_the_rows: STREAMS,
}
"""With the alias in whose block it is met."""

STATEMENTS = (
    "INSERT INTO note (id, tag) VALUES (11, 'x')",
    "INSERT INTO note (id, tag) VALUES (11, LAST_INSERT_ID())",
    "INSERT INTO note (id, tag) VALUES (11, ROW_COUNT() * 0)",
    "INSERT INTO note (id, tag) VALUES (1, 'x') ON DUPLICATE KEY UPDATE tag = LAST_INSERT_ID(7)",
    "INSERT INTO `note` (`id`, `tag`) VALUES (1, 'x') ON DUPLICATE KEY UPDATE"
    " `id` = LAST_INSERT_ID(`id`), `tag` = 'y'",
    "INSERT INTO note (id, tag) SELECT 11, @@warning_count * 0",
    "REPLACE INTO note (id, tag) VALUES (1, LAST_INSERT_ID())",
    "UPDATE note SET tag = LAST_INSERT_ID() WHERE id = 1",
    "UPDATE `note` SET `tag` = 'z' WHERE `id` = 1",
    "DELETE FROM note WHERE id = 1 OR id = LAST_INSERT_ID()",
    "SELECT writes(11), ROW_COUNT()",
    "SELECT writes(11)",
    "CALL puts(11)",
    "SELECT LAST_INSERT_ID()",
    "SHOW WARNINGS",
    "SELECT * FROM note WHERE id = 1 FOR UPDATE",
    "SAVEPOINT one",
    "SET @x = 1",
)
ENDS = ("undone", "stored", "lost")


def told(error: Callable[[str], None], statement: str, end: str) -> Any:
    name = ERRORS[error]
    admin("DELETE FROM note")
    admin("INSERT INTO note VALUES (1, 'one'), (2, 'two')")
    said = []
    kinds = None
    try:
        with transaction.atomic(name):
            ours = session_id(name)
            run(name, "INSERT INTO note (id, tag) VALUES (5, 'before')")
            said.append(outcome(lambda: error(name)))
            if end == "lost":
                kill(ours)
            said.append(outcome(lambda: run(name, statement)))
            if end == "undone":
                raise Undone
    except Undone:
        kinds = "Undone"
    except Error as raised:
        kinds = "a loss" if end == "lost" else type(raised).__name__
    stored = admin("SELECT id, tag FROM note ORDER BY id")
    connections[name].close()
    if end == "lost":
        return [said[0], kinds, stored]
    return [*said, kinds, stored]


PART = [pair.split("/") for pair in os.environ["PART"].split()]
run("default", TABLE)
connections["default"].close()
connections.settings["other"] = connections.settings["default"]
for each in (
    "CREATE TABLE lock_me (id INT PRIMARY KEY, pad TEXT) ENGINE = InnoDB",
    "INSERT INTO lock_me VALUES "
    + ", ".join(f"({number}, REPEAT('x', 4000))" for number in range(-60, 3)),
    "CREATE TABLE heavy (id INT) ENGINE = InnoDB",
    "CREATE TABLE numbers (seq INT) ENGINE = InnoDB",
    "INSERT INTO numbers VALUES " + ", ".join(f"({number})" for number in range(200)),
    "CREATE TABLE refuses (id INT) ENGINE = InnoDB",
    "CREATE TRIGGER refuse BEFORE INSERT ON refuses FOR EACH ROW"
    " SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
    "CREATE FUNCTION writes(number INT) RETURNS INT MODIFIES SQL DATA"
    " BEGIN INSERT INTO note (id, tag) VALUES (number, 'f'); RETURN 1; END",
    "CREATE PROCEDURE puts(number INT) INSERT INTO note (id, tag) VALUES (number, 'p')",
):
    admin(each)
report = {}
for which, at, end in PART:
    error, statement = list(ERRORS)[int(which)], STATEMENTS[int(at)]
    if error is by_a_lock and FLAVOUR == "mysql":
        continue
    report[f"{error.__name__}; {statement}; {end}"] = told(error, statement, end)
say(json.loads(json.dumps(report).replace(connections[NAME].settings_dict["NAME"], "here")))
