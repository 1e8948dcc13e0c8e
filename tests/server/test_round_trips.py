"""G8: lending, checking and returning cost nothing on the wire, and opening costs little."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Report


@pytest.fixture
def stock(report: Report) -> Any:
    return report("round_trips")["stock"]


@pytest.fixture
def ours(report: Report) -> Any:
    return report("round_trips")["lifeline"]


def test_first_connection_of_a_process_costs_two_round_trips(stock: Any, ours: Any) -> None:
    assert len(stock["first_connection"]) == 5
    opening, facts = ours["first_connection"]
    assert opening.startswith("SET NAMES")
    assert "SELECT VERSION()" in facts


def test_each_later_connection_costs_two_as_well(stock: Any, ours: Any) -> None:
    # No fact of the server is older than the connection in use.
    assert len(stock["second_connection"]) > 4
    opening, facts, statement = ours["second_connection"]
    assert opening.startswith("SET NAMES")
    assert "SELECT VERSION()" in facts
    assert statement == "SELECT 8"


def test_replacing_a_dead_connection_costs_no_more_than_a_new_one(stock: Any, ours: Any) -> None:
    assert stock["replacement"] == "OperationalError"
    assert ours["replacement"][-1] == "SELECT 7"
    assert len(ours["replacement"]) <= 3


@pytest.mark.parametrize("check", ["statement_on_a_held_connection", "lend_and_return"])
def test_checking_lending_and_returning_cost_nothing(ours: Any, check: str) -> None:
    assert ours[check] == ["SELECT 8"] * 3


def test_new_threads_wrapper_asks_the_server_nothing(stock: Any, ours: Any) -> None:
    assert len(stock["new_thread"]) > 5
    assert ours["new_thread"] == ["SELECT 8"]


def test_atomic_costs_two_round_trips(stock: Any, ours: Any) -> None:
    assert len(stock["atomic"]) == 1 + 3
    assert ours["atomic"] == ["START TRANSACTION", "SELECT 8", "COMMIT"]
    assert ours["nested_atomic"] == stock["nested_atomic"] - 1


def test_request_costs_its_own_statements_only(ours: Any) -> None:
    assert ours["request"] == ["SELECT 8"] * 2
    assert ours["atomic_request"] == ["START TRANSACTION", "SELECT 8", "COMMIT"]


def test_applications_queries_are_counted_as_with_stock(stock: Any, ours: Any) -> None:
    # Ours lost its connection before the first of them. How many there are depends on Django.
    assert len(stock["queries_counted"]) >= 8
    assert ours["queries_counted"] == stock["queries_counted"]
    assert ours["queries_counted_in_a_new_thread"] == 1
