"""G9: no session state reaches the next borrower, and none that matters is lost in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.programs import Runner
from tests.server.conftest import Report

from lifeline_lab.servers import Server

STATES = [
    "current_database",
    "sql_mode",
    "user_variable",
    "user_variable_by_select",
    "user_variable_by_into",
    "user_variable_by_batch",
    "temporary_table",
    "named_lock",
    "time_zone",
    "read_only_session",
    "read_only_next",
    "isolation_level",
    "foreign_key_checks",
    "autocommit",
    "open_transaction",
    "locked_tables",
    "prepared_statement",
    "character_set",
    "changed_by_a_procedure",
    "changed_by_a_procedure_that_failed",
    "lock_wait_timeout",
]


@pytest.fixture
def state(report: Report) -> Any:
    return report("session_state")


@pytest.mark.parametrize("name", STATES)
def test_state_does_not_reach_the_next_borrower(state: Any, name: str) -> None:
    ways = state["leaks"][name]
    clean, left = ways["stock_requests"]
    assert left != clean, "the probe must show what the state is"
    for way in ("given_back", "abandoned", "requests"):
        before, after = ways[way]
        assert after == before, way


def test_autocommit_switched_off_through_django_does_not_reach_the_next_borrower(
    state: Any,
) -> None:
    ways = state["leaks"]["autocommit_by_django"]
    assert {tuple(answers) for answers in ways.values()} == {("ok 1", "ok 1")}


@pytest.mark.parametrize("name", ["user_variable", "open_transaction", "named_lock", "time_zone"])
def test_session_that_its_owner_counts_on_is_not_lent_to_others(state: Any, name: str) -> None:
    assert state["not_recalled"][name] == "PoolTimeout, mine: True"


@pytest.mark.parametrize(
    "name",
    ["user_variable", "temporary_table", "named_lock", "locked_tables", "prepared_statement"],
)
def test_loss_of_state_that_no_other_session_has_raises_until_the_work_ends(
    state: Any, name: str
) -> None:
    assert state["pinned"][name] == [*["ConnectionLost 2013 not_executed"] * 2, "ok 7"]


def test_literal_settings_are_made_again_where_a_connection_was_replaced(state: Any) -> None:
    # The last but one is the next piece of work's look, for which CONN_MAX_AGE keeps them; the
    # last one another thread's.
    said = ["+06:00", 0, True, "+06:00", True, False]
    assert state["repeated"] == {"said": said, "other": True}


@pytest.mark.parametrize("age", ["0", "60", "None"])
def test_what_connection_created_does_is_done_as_often_as_with_stock(state: Any, age: str) -> None:
    stock, ours = state["receivers"][age]
    assert ours == stock
    assert stock["created"] == (5 if age == "0" else 2)


def test_autocommit_is_on_where_the_server_has_it_off_for_all(
    private_server: Callable[..., Server], driver: str, run_program: Runner
) -> None:
    # MySQL's greeting says nothing of it, so mysqlclient takes it for on, and stock loses rows.
    server = private_server(autocommit=0)
    program = Path(__file__).parent / "programs" / "autocommit_off.py"
    written = ["alone", "block", "reset"]
    expected = [written[:1], written[:1], written[:2], written, written, written]
    assert run_program(program, server, driver).json == expected
