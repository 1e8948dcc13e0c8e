"""What a session remembers: it must not reach the next borrower, nor be lost in silence."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import Error, close_old_connections, connections, transaction
from django.db.backends.signals import connection_created
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import path
from tests.fixtures.program_setup import SETUP, admin
from tests.server.programs.toolbox import (
    create_table,
    database,
    forget,
    in_thread,
    kill,
    one,
    outcome,
    run,
    say,
    session_id,
)

MARIADB = SETUP["server"]["flavour"] == "mariadb"
ISOLATION = "@@tx_isolation" if MARIADB else "@@transaction_isolation"
INSERT = "INSERT INTO row_written (tag, number) VALUES ('probe', 1)"

Do = Callable[[str], Any]


def sql(*texts: str) -> Do:
    """Run these; the last one's first value."""

    def do(alias: str) -> Any:
        for text in texts[:-1]:
            run(alias, text)
        return one(alias, texts[-1])

    return do


def many(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.executemany("SET @x = %s", [[1], [5]])


def call(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.callproc("change_zone")


def call_in_vain(alias: str) -> None:
    with connections[alias].cursor() as cursor, contextlib.suppress(Error):
        cursor.callproc("change_zone_and_fail")
        raise AssertionError("the procedure must fail")


STATES: dict[str, tuple[Do, Do]] = {
    "current_database": (sql("USE information_schema"), sql("SELECT DATABASE()")),
    "sql_mode": (sql("SET sql_mode = 'ANSI'"), sql("SELECT @@sql_mode")),
    "user_variable": (sql("SET @x = 5"), sql("SELECT @x")),
    "user_variable_by_select": (sql("SELECT @x := 5"), sql("SELECT @x")),
    "user_variable_by_into": (sql("SELECT 5 INTO @x"), sql("SELECT @x")),
    "user_variable_by_batch": (many, sql("SELECT @x")),
    "temporary_table": (
        sql("CREATE TEMPORARY TABLE scratch (a INT)"),
        sql("SELECT COUNT(*) FROM scratch"),
    ),
    # The server frees it a moment after the session's end: ask whether *this* session has it.
    "named_lock": (
        sql("SELECT GET_LOCK('the lock', 0)"),
        sql("SELECT COALESCE(IS_USED_LOCK('the lock') = CONNECTION_ID(), 0)"),
    ),
    "time_zone": (sql("SET time_zone = '+05:00'"), sql("SELECT @@time_zone")),
    "read_only_session": (sql("SET SESSION TRANSACTION READ ONLY"), sql(INSERT)),
    "read_only_next": (sql("SET TRANSACTION READ ONLY"), sql(INSERT)),
    "isolation_level": (
        sql("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
        sql(f"SELECT {ISOLATION}"),
    ),
    "foreign_key_checks": (sql("SET foreign_key_checks = 0"), sql("SELECT @@foreign_key_checks")),
    "autocommit": (sql("SET autocommit = 0"), sql("SELECT @@autocommit")),
    "autocommit_by_django": (
        lambda alias: transaction.set_autocommit(False, alias),
        sql("SELECT @@autocommit"),
    ),
    "open_transaction": (
        sql("BEGIN", "INSERT INTO row_written (tag, number) VALUES ('open', 1)"),
        sql("SELECT COUNT(*) FROM row_written WHERE tag = 'open'"),
    ),
    "locked_tables": (sql("LOCK TABLES row_written READ"), sql(INSERT)),
    "prepared_statement": (sql("PREPARE s FROM 'SELECT 5'"), sql("EXECUTE s")),
    "character_set": (sql("SET NAMES latin1"), sql("SELECT @@character_set_client")),
    "changed_by_a_procedure": (call, sql("SELECT @@time_zone")),
    "changed_by_a_procedure_that_failed": (call_in_vain, sql("SELECT @@time_zone")),
    "lock_wait_timeout": (
        sql("SET innodb_lock_wait_timeout = 5"),
        sql("SELECT @@innodb_lock_wait_timeout"),
    ),
}
"""What leaves a trace, and what shows it."""


PINNING = (
    "user_variable",
    "temporary_table",
    "named_lock",
    "locked_tables",
    "prepared_statement",
)


def apart(work: Callable[[], Any]) -> Any:
    with in_thread(work) as results:
        pass
    return results[0]


def from_thread_to_thread(alias: str, dirty: Do, probe: Do, *, give_back: bool) -> list[str]:
    """One thread leaves its trace, another looks, on a pool of one connection."""

    def look() -> str:
        said = outcome(lambda: probe(alias))
        forget(alias)
        return said

    def soil() -> None:
        dirty(alias)
        if give_back:
            close_old_connections()

    before = apart(look)
    failed = apart(soil)
    return [before, apart(look)] if failed is None else [before, failed]


def from_request_to_request(alias: str, dirty: Do, probe: Do) -> list[str]:
    """The same page twice: look, then leave the trace."""
    answers: list[str] = []
    steps[:] = [lambda: answers.append(outcome(lambda: probe(alias))), lambda: dirty(alias)]
    get()
    get()
    forget(alias)
    return answers


def leaks() -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, (dirty, probe) in STATES.items():
        said[name] = {}
        for way in ("given_back", "abandoned", "requests", "stock_requests"):
            engine = "stock" if way == "stock_requests" else "lifeline"
            # With CONN_MAX_AGE a thread's own next piece of work finds it, as with stock.
            age = None if engine == "stock" else 0
            pool = {"pool": {"max_size": 1}}
            alias = database(f"{name} {way}", engine, CONN_MAX_AGE=age, OPTIONS=pool)
            if way.endswith("requests"):
                said[name][way] = from_request_to_request(alias, dirty, probe)
            else:
                said[name][way] = from_thread_to_thread(
                    alias, dirty, probe, give_back=way == "given_back"
                )
            forget(alias)
    return said


def not_recalled() -> dict[str, str]:
    """A session in use by its state must not be lent while its owner still counts on it."""
    said = {}
    for name in ("user_variable", "open_transaction", "named_lock", "time_zone"):
        pool = {"max_size": 1, "timeout": 0.2}
        alias = database(f"{name} kept", "lifeline", OPTIONS={"pool": pool})
        STATES[name][0](alias)
        mine = session_id(alias)
        other = apart(lambda alias=alias: outcome(lambda: one(alias, "SELECT 7")))
        said[name] = f"{other.split()[0]}, mine: {session_id(alias) == mine}"
        forget(alias)
    return said


def pinned() -> dict[str, Any]:
    """State that no other connection has: its loss raises, and again until the work's end."""
    said = {}
    for name in PINNING:
        alias = database(f"{name} pinned", "lifeline")
        STATES[name][0](alias)
        kill(session_id(alias))
        said[name] = [outcome(lambda alias=alias: one(alias, "SELECT 7")) for _ in range(2)]
        connections[alias].close()
        said[name].append(outcome(lambda alias=alias: one(alias, "SELECT 7")))
        forget(alias)
    return said


def repeated() -> dict[str, Any]:
    """Literal settings are made again on the connection that takes the lost one's place."""
    alias = database("repeated", "lifeline")
    run(alias, "SET time_zone = '+05:00'")
    run(alias, "SET SESSION sql_mode = 'ANSI', foreign_key_checks = 0")
    run(alias, "SET time_zone = '+06:00'")
    first = session_id(alias)
    kill(first)
    said = [one(alias, f"SELECT {name}") for name in ("@@time_zone", "@@foreign_key_checks")]
    said.append("ANSI_QUOTES" in str(one(alias, "SELECT @@sql_mode")))
    other = session_id(alias) != first
    # And again, for the connection after that.
    kill(session_id(alias))
    said.append(one(alias, "SELECT @@time_zone"))
    close_old_connections()
    said.append(one(alias, "SELECT @@time_zone") == "+06:00")
    connections[alias].close()
    said.append(apart(lambda: one(alias, "SELECT @@time_zone")) == "+06:00")
    forget(alias)
    return {"said": said, "other": other}


def receivers(engine: str, age: int | None) -> dict[str, Any]:
    """What a receiver of connection_created does is done for each connection that stock opens."""
    created: list[str] = []

    def receiver(connection: Any, **kwargs: Any) -> None:
        if connection.alias.startswith("receiver"):
            created.append(connection.alias)
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION time_zone = '+03:00'")
                cursor.execute("SET @set_up = %s", [len(created)])

    connection_created.connect(receiver)
    alias = database(f"receiver {engine} {age}", engine, CONN_MAX_AGE=age)
    look = "SELECT CONVERT(CONCAT_WS(' ', @@time_zone, @set_up) USING utf8mb4)"
    said = [one(alias, look)]
    for _ in range(3):
        close_old_connections()
        said.append(one(alias, look))
    said.append(apart(lambda: one(alias, look)))
    connection_created.disconnect(receiver)
    close_old_connections()
    said.append(one(alias, look))
    forget(alias)
    return {"said": said, "created": len(created)}


steps: list[Callable[[], Any]] = []


def view(request: Any) -> HttpResponse:
    for step in steps:
        step()
    return HttpResponse("fine")


urlpatterns = [path("", view)]


def get() -> None:
    """Ask the real handler, request signals included."""
    response = WSGIHandler()(RequestFactory().get("/").environ, lambda status, headers: None)
    response.close()


def main() -> None:
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["*"]
    create_table()
    admin("CREATE PROCEDURE change_zone() SET time_zone = '+05:00'")
    admin(
        "CREATE PROCEDURE change_zone_and_fail() "
        "BEGIN SET time_zone = '+05:00'; SIGNAL SQLSTATE '45000'; END"
    )
    say(
        {
            "leaks": leaks(),
            "not_recalled": not_recalled(),
            "pinned": pinned(),
            "repeated": repeated(),
            "receivers": {
                str(age): [receivers(engine, age) for engine in ("stock", "lifeline")]
                for age in (0, 60, None)
            },
        }
    )


if __name__ == "__main__":
    main()
