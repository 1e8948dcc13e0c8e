"""Bulk operations larger than ``max_allowed_packet``: stock breaks, ours stores every row."""

from __future__ import annotations

from typing import Any

import django
import pytest
from tests.server.conftest import Report

pytestmark = pytest.mark.drawn

SERVER_TAKES = "1048576"
BROKEN = ("OperationalError 2006", "OperationalError 1153", "OperationalError 2013")


@pytest.fixture
def said(report: Report) -> Any:
    return report("bulk")


@pytest.mark.parametrize(
    ("operation", "stored", "most_statements"),
    [("texts", 200, 6), ("pictures", 30, 6), ("facts", 200, 5), ("uneven", 1500, 3)],
)
def test_bulk_create_over_the_limit_is_split_into_few_statements(
    said: Any, operation: str, stored: int, most_statements: int
) -> None:
    result, rows, statements = said["lifeline"][operation]
    assert (result, rows) == (f"ok {stored}", stored)
    assert 1 < statements <= most_statements
    result, rows, _ = said["stock"][operation]
    assert (result in BROKEN, rows) == (True, 0)


def test_users_batch_size_holds_where_it_is_smaller(said: Any) -> None:
    assert said["lifeline"]["small_batch_size"] == ["ok 10", 10, 5]
    result, rows, statements = said["lifeline"]["large_batch_size"]
    assert (result, rows) == ("ok 100", 100)
    assert statements > 2
    assert said["stock"]["large_batch_size"][0] in BROKEN


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("conflicts_ignored", ["ok 100", 100, 10]),
        ("conflicts_updated", ["ok 100", 100, 0]),
        ("updated_with_expressions", ["ok 60", 60]),
    ],
)
def test_other_bulk_operations_over_the_limit_store_every_row(
    said: Any, operation: str, expected: list[Any]
) -> None:
    assert said["lifeline"][operation] == expected
    assert said["stock"][operation][0] in BROKEN


def test_bulk_update_over_the_limit_is_split(said: Any) -> None:
    result, rows, statements = said["lifeline"]["updated"]
    assert (result, rows) == ("ok 60", 60)
    assert 1 < statements <= 4
    assert said["stock"]["updated"][0] in BROKEN


def test_bulk_update_from_columns_works(said: Any) -> None:
    assert said["lifeline"]["updated_with_columns"] == ["ok 3", 3]


def test_small_bulk_operation_is_one_statement(said: Any) -> None:
    assert said["lifeline"]["added"] == said["stock"]["added"] == [500, 1]


@pytest.mark.parametrize(
    ("way", "field", "size"),
    [
        ("bulk_create", "body", 1_200_000),
        ("save", "body", 1_200_000),
        ("update", "body", 1_200_000),
        ("bulk_update", "body", 1_200_000),
        ("json", "facts", 1_200_009),
        ("create", "picture", 1_200_000),
    ],
)
def test_row_that_cannot_fit_is_refused_naming_the_field_and_its_size(
    said: Any, way: str, field: str, size: int
) -> None:
    answers, stored = said["lifeline"]["one_too_large"]
    error, message = answers[way]
    assert error.startswith("PacketTooLarge 1153")
    assert f"that of toolbox.Page.{field}: {size} bytes" in message
    assert SERVER_TAKES in message
    assert "secret" not in message
    assert stored == 1


def test_deleting_and_looking_up_many_works(said: Any) -> None:
    found, deleted = said["lifeline"]["removed"]
    assert deleted == 300
    # Before 6.0 Django does not ask how many keys go into one statement.
    asks = django.VERSION >= (6, 0)
    assert found.startswith("ok 300" if asks else "PacketTooLarge 1153")
    assert said["stock"]["removed"][0] in BROKEN


def test_executemany_over_the_limit_stores_every_row_once(said: Any, driver: str) -> None:
    assert said["lifeline"]["many"] == ["ok", 1200, 1200]
    # Mysqlclient sends 64 KB at a time, whatever the server takes.
    if driver == "pymysql":
        result, *stored = said["stock"]["many"]
        assert (result in BROKEN, stored) == (True, [0, 0])


def test_no_literal_of_the_driver_is_longer_than_reckoned(said: Any) -> None:
    assert said["lifeline"]["literals"] == []
