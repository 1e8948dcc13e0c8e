"""One wrapper in the hands of several threads, as Django allows with ``inc_thread_sharing``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connections, transaction
from tests.stock.programs.workshop import (
    TABLE,
    Scenes,
    alias,
    one,
    outcome,
    piece_of_work_ends,
    run,
    say,
)

INSERT = "INSERT INTO note (tag) VALUES (%s)"
scene = Scenes()


def shared(**settings: Any) -> Any:
    """A wrapper that all threads may use."""
    connection = connections[alias(**settings)]
    connection.inc_thread_sharing()
    return connection


def write(connection: Any, tag: str) -> None:
    """Store a note."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [tag])


def in_thread_that_ends(call: Callable[..., Any], *args: Any) -> Any:
    """Run in a thread, and return when nothing is left of it."""
    said: list[Any] = []
    thread = threading.Thread(target=lambda: said.append(outcome(lambda: call(*args))))
    thread.start()
    thread.join()
    return said[0]


def stored(tag: str) -> int:
    """How many notes have this tag."""
    return int(one("default", "SELECT COUNT(*) FROM note WHERE tag = %s", [tag]))


@scene
def thread_that_writes_in_a_shared_transaction_ends() -> Any:
    connection = shared()
    with transaction.atomic(connection.alias):
        write(connection, "both")
        said = in_thread_that_ends(write, connection, "both")
        write(connection, "both")
    return [said, stored("both")]


@scene
def thread_that_begins_a_transaction_ends() -> Any:
    connection = shared()

    def begin() -> None:
        connection.set_autocommit(False)
        write(connection, "begun")

    said = in_thread_that_ends(begin)
    write(connection, "begun")
    connection.commit()
    connection.set_autocommit(True)
    return [said, stored("begun")]


@scene
def thread_that_locks_in_a_shared_session_ends() -> Any:
    connection = shared()

    def lock() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT GET_LOCK('shared', 0)")
            return cursor.fetchone()

    said = in_thread_that_ends(lock)
    return [said, one(connection.alias, "SELECT IS_USED_LOCK('shared') = CONNECTION_ID()")]


@scene
def thread_that_may_not_use_it_disturbs_nothing() -> Any:
    connection = connections[alias()]
    run(connection.alias, "SET @mark = 3")
    said = [in_thread_that_ends(write, connection, "foreign") for _ in range(2)]
    with transaction.atomic(connection.alias):
        write(connection, "own")
        said.append(in_thread_that_ends(write, connection, "foreign"))
    return [said, one(connection.alias, "SELECT @mark"), stored("own"), stored("foreign")]


@scene
def pieces_of_work_of_several_threads() -> Any:
    connection = shared(CONN_MAX_AGE=None)

    def work() -> Any:
        write(connection, "works")
        piece_of_work_ends(connection.alias)

    return [[in_thread_that_ends(work) for _ in range(5)], stored("works")]


run("default", TABLE)
run("default", "TRUNCATE note")
say(scene.report())
