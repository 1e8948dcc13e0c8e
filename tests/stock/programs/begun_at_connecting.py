"""Transactions that are begun while a connection is opened: what becomes of them, and of the work.

Stock Django switches autocommit off and on again as it connects, which commits what is open then.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connections, transaction
from django.db.backends.signals import connection_created
from tests.fixtures.program_setup import SETUP, admin
from tests.stock.programs.workshop import (
    DRIVER,
    TABLE,
    Wrapper,
    alias,
    forget,
    kill,
    outcome,
    piece_of_work_ends,
    run,
    say,
    session_id,
)

PATIENCE = 0.7
MAIN = SETUP["database"]["NAME"]
BEGIN = "START TRANSACTION"
PLAIN = {"USER": f"{MAIN}_user", "PASSWORD": "only-for-this-test"}
STATEMENTS = {"begins": BEGIN, "writes": f"CALL {MAIN}.logs_in()", "locks": f"CALL {MAIN}.locks()"}


class Opens(Wrapper):
    """Runs a statement as soon as the driver has connected."""

    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        with connection.cursor() as cursor:
            cursor.execute(self.settings_dict["OPENS"])
        return connection


class SetsUp(Wrapper):
    """Runs a statement before Django sets up the session."""

    def init_connection_state(self) -> None:
        with self.cursor() as cursor:
            cursor.execute(self.settings_dict["OPENS"])
        super().init_connection_state()


@contextmanager
def init_command(sql: str) -> Iterator[dict[str, Any]]:
    yield {"OPTIONS": {"init_command": sql}}


@contextmanager
def init_connect(sql: str) -> Iterator[dict[str, Any]]:
    [[before]] = admin("SELECT @@global.init_connect")
    admin("SET GLOBAL init_connect = %s", sql)
    try:
        yield PLAIN
    finally:
        admin("SET GLOBAL init_connect = %s", before)


@contextmanager
def option_file(sql: str) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "my.cnf")
        path.write_text(f'[client]\ninit-command = "{sql}"\n')
        yield {"OPTIONS": {"read_default_file": str(path)}}


@contextmanager
def get_new_connection(sql: str) -> Iterator[dict[str, Any]]:
    yield {"wrapper": Opens, "OPENS": sql}


@contextmanager
def init_connection_state(sql: str) -> Iterator[dict[str, Any]]:
    yield {"wrapper": SetsUp, "OPENS": sql}


@contextmanager
def receiver(sql: str) -> Iterator[dict[str, Any]]:
    def hear(connection: Any, **kwargs: Any) -> None:
        if connection.alias != "default":
            with connection.cursor() as cursor:
                cursor.execute(sql)

    connection_created.connect(hear)
    try:
        yield {}
    finally:
        connection_created.disconnect(hear)


WAYS = [init_command, init_connect, get_new_connection, init_connection_state, receiver]
if DRIVER == "mysqlclient":  # PyMySQL reads no init-command in it
    WAYS.append(option_file)


def autocommit(name: str, tag: str) -> None:
    run(name, "INSERT INTO note (tag) VALUES (%s)", [tag])


def in_a_block(name: str, tag: str) -> None:
    with transaction.atomic(name):
        autocommit(name, tag)


def reading(name: str, tag: str) -> None:
    run(name, "SELECT COUNT(*) FROM note")


def after_a_loss(name: str, tag: str) -> None:
    number = session_id(name)
    piece_of_work_ends(name)
    kill(number)
    autocommit(name, tag)


def after_traces(name: str, tag: str) -> None:
    run(name, "SET SESSION sql_mode = 'ANSI', @left = 1")
    piece_of_work_ends(name)
    autocommit(name, tag)


WORKS: list[Callable[[str, str], None]] = [
    autocommit,
    in_a_block,
    reading,
    after_a_loss,
    after_traces,
]


def stored() -> list[Any]:
    """The rows that others see, whether somebody has logged in, and whether a lock is left."""
    rows = [tag for (tag,) in admin("SELECT tag FROM note ORDER BY id")]
    logins = admin("SELECT COUNT(*) > 0 FROM login")[0][0]
    return [rows, logins, is_locked()]


def is_locked() -> bool:
    """Whether a lock is left; a session that was closed may have it a moment longer."""
    deadline = time.monotonic() + PATIENCE
    while isinstance(outcome(lambda: admin("SELECT id FROM gate FOR UPDATE NOWAIT")), str):
        if time.monotonic() > deadline:
            return True
        time.sleep(0.01)
    return False


def tried(work: Callable[[str, str], None], given: dict[str, Any], max_age: int | None) -> Any:
    """Three pieces of work: what is stored after each, and once the connection is closed."""
    for table in ("note", "login"):
        admin(f"DELETE FROM {table}")
    name = alias(CONN_MAX_AGE=max_age, **given)
    seen = []
    for number in range(3):
        said = outcome(lambda number=number: work(name, str(number)))
        piece_of_work_ends(name)
        seen.append([said, stored()])
    connections[name].close()
    forget(name)
    return [*seen, stored()]


def prepare() -> None:
    admin(f"{TABLE} ENGINE=InnoDB")
    admin("CREATE TABLE login (id INT PRIMARY KEY AUTO_INCREMENT) ENGINE=InnoDB")
    admin("CREATE TABLE gate (id INT PRIMARY KEY) ENGINE=InnoDB")
    admin("INSERT INTO gate VALUES (1)")
    logs_in = f"BEGIN {BEGIN}; INSERT INTO login VALUES (NULL); END"
    locks = f"BEGIN {BEGIN}; UPDATE gate SET id = 2; UPDATE gate SET id = 1; END"
    for name, body in (("logs_in", logs_in), ("locks", locks)):
        admin(f"CREATE PROCEDURE {name}() {body}")
    admin(f"CREATE USER '{PLAIN['USER']}'@'%%' IDENTIFIED BY %s", PLAIN["PASSWORD"])
    admin(f"GRANT ALL ON {MAIN}.* TO '{PLAIN['USER']}'@'%'")


prepare()
report = {}
for way, (what, sql) in itertools.product(WAYS, STATEMENTS.items()):
    with way(sql) as given:
        for max_age, work in itertools.product((0, None), WORKS):
            cell = f"{way.__name__}, {what}, {max_age}, {work.__name__}"
            report[cell] = tried(work, given, max_age)
admin(f"DROP USER '{PLAIN['USER']}'@'%'")
say(report)
