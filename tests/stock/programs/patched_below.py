"""Somebody replaces methods of Django's own MySQL cursor, or the class, as tracers and tests do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

from django.db import connections, transaction
from django.db.backends.mysql import base
from tests.stock.programs.workshop import TABLE, alias, outcome, piece_of_work_ends, run, say

INSERT = "INSERT INTO note (tag) VALUES (%s)"
STEPS = ("execute", "executemany", "__getattr__", "__iter__", "__init__")
NAME = alias(CONN_MAX_AGE=None)


def many() -> Any:
    with connections[NAME].cursor() as cursor:
        return cursor.executemany(INSERT, [["a"], ["b"]])


def rows() -> Any:
    with connections[NAME].cursor() as cursor:
        cursor.execute("SELECT 1 UNION SELECT 2")
        return list(cursor)


def block() -> Any:
    with transaction.atomic(NAME):
        return run(NAME, INSERT, ["a"])


def wrong() -> Any:
    return run(NAME, "INSERT INTO note (id, tag) VALUES (1, NULL), (1, NULL)")


def watched() -> Any:
    connections[NAME].force_debug_cursor = True
    try:
        return run(NAME, "SELECT %s", [3])
    finally:
        connections[NAME].force_debug_cursor = False


def request() -> Any:
    piece_of_work_ends(NAME)
    return run(NAME, "SELECT 2")


WORKS = (request, many, rows, block, wrong, watched)


def with_a_step(step: str) -> Any:
    seen: list[str] = []
    genuine: Callable[..., Any] = getattr(base.CursorWrapper, step)

    def noting(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(str(args[0])[:20] if step != "__init__" else "made")
        return genuine(self, *args, **kwargs)

    with mock.patch.object(base.CursorWrapper, step, noting):
        return [[work.__name__, outcome(work), seen.count("made"), *looked(seen)] for work in WORKS]


def looked(seen: list[str]) -> list[str]:
    """What was run or looked at, and forget it: private names are each engine's own affair."""
    found = [each for each in dict.fromkeys(seen) if each != "made" and not each.startswith("_")]
    seen.clear()
    return found


def with_another_class() -> Any:
    seen: list[str] = []

    class Tracing(base.CursorWrapper):  # type: ignore[misc]
        def execute(self, query: Any, args: Any = None) -> Any:
            seen.append(query)
            return super().execute(query, args)

    with mock.patch.object(base, "CursorWrapper", Tracing):
        return [[work.__name__, outcome(work), *looked(seen)] for work in WORKS]


run("default", TABLE)
run(NAME, "SELECT 1")  # stock Django asks for what it knows of the server by then
report = {step: with_a_step(step) for step in STEPS}
report["class"] = with_another_class()
say(report)
