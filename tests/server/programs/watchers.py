"""Who watches Django's cursors sees every statement of ours, and errors are Django's."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.apps import apps
from django.db import Error, connection, transaction
from django.db.backends import utils
from tests.server.programs.toolbox import say

DJANGOS = utils.CursorWrapper
seen: list[str] = []


def ask(number: int) -> Any:
    """One statement, in every way that rows can be had."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s", [number])
        first = cursor.fetchone()
        cursor.execute("SELECT %s", [number])
        rest = [cursor.fetchmany(1), cursor.fetchmany(), cursor.fetchall()]
        cursor.execute("SELECT 1 UNION ALL SELECT 2")
        return [type(cursor).__module__, first, [list(rows) for rows in rest], [*cursor]]


@contextmanager
def replaced(name: str) -> Any:
    """Django's cursor with one method replaced, as those do it who measure statements."""
    real = getattr(DJANGOS, name)

    def watch(self: Any, sql: str, *rest: Any, **named: Any) -> Any:
        seen.append(name)
        return real(self, sql, *rest, **named)

    with mock.patch.object(DJANGOS, name, watch):
        yield


def watched(number: int) -> Any:
    """What `ask` gives, and what was seen of it."""
    seen.clear()
    return [ask(number), list(seen)]


def wrapped() -> Any:
    def note(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        return watched(2)


def patched(name: str) -> Any:
    with replaced(name):
        return watched(3)


def logged() -> Any:
    connection.force_debug_cursor = True
    found = ask(4)
    connection.force_debug_cursor = False
    return [found[0], [query["sql"] for query in connection.queries_log][:1]]


def failing(act: Any) -> list[Any]:
    """The class of an error, of its cause, and whether its cause is the driver's."""
    try:
        act()
    except Error as error:
        cause = error.__cause__
        return [type(error).__module__, type(error).__name__, type(cause).__name__]
    return []


def wrong_statement() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELEKT")


def rows_before_a_statement(method: str) -> Any:
    def ask_for_rows() -> None:
        with connection.cursor() as cursor:
            getattr(cursor, method)()

    return ask_for_rows


def broken_transaction() -> str:
    try:
        with transaction.atomic():
            transaction.set_rollback(True)
            ask(5)
    except transaction.TransactionManagementError as error:
        return str(error)[:45]
    return ""


def before_the_apps_are_ready() -> list[str]:
    with mock.patch.object(apps, "ready", False), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    return [warning.category.__name__ for warning in told]


say(
    {
        "plain": watched(1),
        "wrapped": wrapped(),
        "execute": patched("execute"),
        "steps": patched("_execute_with_wrappers"),
        "last_step": patched("_execute"),
        "unwatched_again": watched(1),
        "logged": logged(),
        "wrong": failing(wrong_statement),
        "no_rows": [
            failing(rows_before_a_statement(name)) for name in ("fetchone", "fetchmany", "fetchall")
        ],
        "broken": broken_transaction(),
        "not_ready": before_the_apps_are_ready(),
    }
)
