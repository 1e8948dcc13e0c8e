"""What the engine sends, keeps and forgets, step by step, on a server of the test's own."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from tests.unit.backends.fake_server import FakeServer


def run(wrapper: Any, sql: str, params: Any = None) -> list[Any]:
    with wrapper.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def test_statement_runs_and_nothing_more_is_sent(wrapper: Any, server: FakeServer) -> None:
    assert run(wrapper, "SELECT 1") == [(1,)]
    mark = len(server.said)
    run(wrapper, "INSERT one")
    assert server.since(mark) == ["INSERT one"]
    assert server.stored == ["one"]
