"""Receivers of ``connection_created`` arrange a session for whoever gets it, and only for him."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import connections, transaction
from django.db.backends.signals import connection_created
from tests.stock.programs.workshop import (
    LIFELINE,
    TABLE,
    Scenes,
    alias,
    forget,
    in_thread,
    kill,
    one,
    outcome,
    run,
    say,
    session_id,
)

scene = Scenes()
ARRANGED = {
    "a literal": "SET SESSION sql_mode = 'ANSI'",
    "a variable of the user": "SET @app = 'web'",
    "an expression": "SET @@session.sql_mode = CONCAT(@@sql_mode, ',ANSI'), @app = 'x'",
    "two settings": "SET time_zone = '+01:00', lock_wait_timeout = 77",
    "a temporary table": "CREATE TEMPORARY TABLE IF NOT EXISTS mine (a INT)",
    "nothing that stays": "SELECT 1",
}
SEEN = "SELECT CONCAT_WS('|', @@sql_mode LIKE '%ANSI%', @app, @@time_zone, @@lock_wait_timeout)"


def small(size: int = 1) -> str:
    return alias(CONN_MAX_AGE=None, OPTIONS={"pool": {"max_size": size}} if LIFELINE else {})


@contextmanager
def arranging(name: str, sql: str) -> Iterator[None]:
    def receiver(connection: Any, **kwargs: Any) -> None:
        if connection.alias == name:
            run(name, sql)

    connection_created.connect(receiver, weak=False)
    try:
        yield
    finally:
        connection_created.disconnect(receiver)


def each(work: Callable[[str, str], Any], size: int = 1) -> dict[str, Any]:
    told = {}
    for what, sql in ARRANGED.items():
        name = small(size)
        told[what] = work(name, sql)
        connections[name].close()
        forget(name)
    return told


@scene
def many_threads_that_live_long() -> Any:
    """More than the pool has connections, each with a word now and then."""

    def work(name: str, sql: str) -> Any:
        seen: list[Any] = []
        together = threading.Barrier(5)

        def live() -> None:
            for _ in range(3):
                together.wait()
                seen.append(outcome(lambda: one(name, SEEN)))
            together.wait()
            connections[name].close()

        with arranging(name, sql):
            threads = [threading.Thread(target=live) for _ in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return sorted(set(map(str, seen))), len(seen)

    # A temporary table is its holder's for good: so many of those take as many connections.
    return each(work, size=5 if LIFELINE else 1)


@scene
def threads_that_share_one_connection() -> Any:
    told = {}
    for what, sql in ARRANGED.items():
        if what == "a temporary table":
            continue
        name = small()
        with arranging(name, sql):
            mine = one(name, SEEN)
            others = in_thread(lambda: [one(name, SEEN), connections[name].close()][0])  # noqa: B023
            told[what] = [mine, others, one(name, SEEN)]
        connections[name].close()
        forget(name)
    return told


@scene
def next_holder_is_not_arranged() -> Any:
    def work(name: str, sql: str) -> Any:
        with arranging(name, sql):
            mine = one(name, SEEN)
            if sql.startswith("CREATE"):
                connections[name].close()
        others = in_thread(lambda: [outcome(lambda: one(name, SEEN)), connections[name].close()][0])
        return mine, others, outcome(lambda: run(name, "SELECT * FROM mine"))

    return each(work)


@scene
def arrangement_is_made_again_after_a_loss() -> Any:
    def work(name: str, sql: str) -> Any:
        if sql.startswith("CREATE"):
            return None  # its rows are not made again, so its loss is told
        with arranging(name, sql):
            before = one(name, SEEN)
            kill(session_id(name))
            if not LIFELINE:
                connections[name].close()
            after = outcome(lambda: one(name, SEEN))
            return before == after, outcome(lambda: run(name, "SELECT * FROM mine"))

    return each(work)


@scene
def holders_own_setting_is_made_again_after_the_arrangement() -> Any:
    name = small()
    with arranging(name, "SET time_zone = '+01:00'"):
        run(name, "SET time_zone = '+02:00'")
        kill(session_id(name))
        if not LIFELINE:
            connections[name].close()
            run(name, "SET time_zone = '+02:00'")
        return one(name, "SELECT @@time_zone")


@scene
def rows_of_a_receivers_table_are_missed() -> Any:
    """Stock raises until the connection is closed; nobody is to count none in silence."""
    name = small()
    with arranging(name, ARRANGED["a temporary table"]):
        run(name, "INSERT INTO mine VALUES (1)")
        kill(session_id(name))
        return isinstance(outcome(lambda: one(name, "SELECT COUNT(*) FROM mine")), str)


@scene
def lock_that_a_receiver_took_is_kept() -> Any:
    name = small(2)
    with arranging(name, f"SELECT GET_LOCK(CONCAT('{name}', CONNECTION_ID()), 0)"):
        mine = session_id(name)
        seen = [
            in_thread(lambda: [one(name, "SELECT 1"), connections[name].close()][0])
            for _ in range(3)
        ]
        held = in_thread(lambda: one("default", f"SELECT IS_USED_LOCK('{name}{mine}') = {mine}"))
    return seen, held


class Undone(Exception):
    """Raised by the author of a block."""


@scene
def blocks_of_its_own_where_a_block_has_lost_its_connection() -> Any:
    """Django connects outside of blocks: what a receiver undoes is undone, its hooks run."""
    name, told = small(), []
    seen: set[Any] = set()
    hooks: list[int] = []

    def receiver(connection: Any, **kwargs: Any) -> None:
        if connection.alias != name:
            return
        seen.add((connection.in_atomic_block, connection.autocommit))
        with suppress(Undone), transaction.atomic(name, durable=True):
            run(name, "INSERT INTO note (tag) VALUES ('undone')")
            raise Undone
        with transaction.atomic(name), transaction.atomic(name):
            run(name, "INSERT INTO note (tag) VALUES ('receiver')")
            transaction.on_commit(lambda: hooks.append(1), using=name)

    def block() -> None:
        with transaction.atomic(name):
            kill(me)
            run(name, "INSERT INTO note (tag) VALUES ('mine')")

    def manual() -> None:
        transaction.set_autocommit(False, name)
        kill(me)
        run(name, "INSERT INTO note (tag) VALUES ('mine')")
        transaction.commit(name)

    connection_created.connect(receiver)
    for work in (block, manual):
        run("default", "DELETE FROM note")
        me = session_id(name)
        worked = outcome(work) is None
        connections[name].close()
        connections[name].autocommit = True
        stored = [tag for (tag,) in run("default", "SELECT tag FROM note")]
        told.append([stored.count("undone"), worked == ("mine" in stored)])
        told.append(stored.count("receiver") == len(hooks))
        hooks.clear()
    connection_created.disconnect(receiver)
    return [told, sorted(seen)]


run("default", TABLE)
say(scene.report())
