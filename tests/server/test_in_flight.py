"""G2: no statement runs twice, unless it provably did not run or is a read that may be repeated."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Report

from lifeline_lab.servers import Server

pytestmark = pytest.mark.fault

LOST = "OperationalError 2013"
UNKNOWN = "ConnectionLost 2013 unknown_effect"


@pytest.fixture
def stock(report: Report) -> Any:
    return report("in_flight")["stock"]


@pytest.fixture
def ours(report: Report) -> Any:
    return report("in_flight")["lifeline"]


def test_stored_write_without_answer_raises_and_is_stored_once(stock: Any, ours: Any) -> None:
    assert stock["write_without_answer"] == {"said": LOST, "sent": 1, "stored": 1}
    assert ours["write_without_answer"] == {"said": UNKNOWN, "sent": 1, "stored": 1}


@pytest.mark.parametrize("check", ["write_cut_off_after_sending", "write_killed_in_the_middle"])
def test_write_that_was_sent_raises_and_is_never_sent_again(
    stock: Any, ours: Any, check: str
) -> None:
    assert stock[check]["said"] == LOST
    assert ours[check] == {"said": UNKNOWN, "sent": 1, "twice": False}


def test_write_that_left_this_host_counts_as_sent_though_no_server_saw_it(ours: Any) -> None:
    assert ours["write_that_never_left_the_proxy"] == {"said": UNKNOWN, "stored": 0}


def test_write_whose_tail_is_still_here_is_sent_again_and_stored_once(
    stock: Any, ours: Any
) -> None:
    assert stock["huge_write_cut_while_sending"]["stored"] == 0
    assert ours["huge_write_cut_while_sending"] == {"said": "ok", "stored": 1}


def test_write_that_met_the_servers_goodbye_is_sent_again_where_the_driver_shows_it(
    stock: Any, ours: Any, server: Server, driver: str
) -> None:
    assert stock["write_that_meets_the_goodbye"]["stored"] == 0
    if (server.flavour, driver) == ("mysql", "mysqlclient"):
        assert ours["write_that_meets_the_goodbye"] == {"said": "ok", "stored": 1}
    else:
        # MariaDB leaves without a word, and PyMySQL makes 2013 of every word out of turn.
        assert ours["write_that_meets_the_goodbye"] == {"said": UNKNOWN, "stored": 0}


def test_batch_lost_in_the_middle_is_not_repeated(ours: Any) -> None:
    assert ours["batch_lost_in_the_middle"] == {"said": UNKNOWN, "sent": 2, "number": 2}


@pytest.mark.parametrize("check", ["plain_read", "plain_read_with_half_an_answer"])
def test_plain_read_in_flight_is_repeated_once(stock: Any, ours: Any, check: str) -> None:
    assert stock[check]["said"] == LOST
    assert stock[check]["next"] != "ok 7"
    assert ours[check] == {"said": "ok 7", "sent": 2, "next": "ok 7"}


def test_orm_read_in_flight_is_repeated_once(stock: Any, ours: Any) -> None:
    assert stock["orm_read"]["said"] == LOST
    assert ours["orm_read"] == {"said": "ok 3", "sent": 2}


def test_read_that_is_lost_again_raises(ours: Any) -> None:
    told = "ConnectionLost 2013 repeatable_read"
    assert ours["plain_read_lost_twice"] == {"said": told, "sent": 2, "next": "ok 7"}


def test_read_is_not_repeated_where_retry_reads_is_off(ours: Any) -> None:
    told = "ConnectionLost 2013 repeatable_read"
    assert ours["read_without_permission_to_repeat"] == {"said": told, "sent": 1, "next": "ok 7"}


def test_read_that_the_server_is_at_work_on_yet_is_not_run_beside_itself(
    stock: Any, ours: Any
) -> None:
    told = ["ConnectionLost 2013 repeatable_read", 1]
    assert stock["read_slower_than_read_timeout"]["alone"] == [LOST, 1]
    assert ours["read_slower_than_read_timeout"] == {
        "alone": told,
        "in a block": told,
        "next": "ok 7",
    }


def test_nothing_is_stored_after_a_slow_read_whose_loss_was_swallowed(
    stock: Any, ours: Any
) -> None:
    assert stock["write_after_a_slow_read_in_a_block"]["stored"] == 0
    seen = {"said": "ConnectionLost", "stored": 0}
    assert ours["write_after_a_slow_read_in_a_block"] == seen


@pytest.mark.parametrize(
    "check",
    [
        "locking_read",
        "advisory_lock",
        "sleep",
        "stored_function",
        "assignment_in_a_select",
        "several_statements_at_once",
    ],
)
def test_select_with_an_effect_is_not_repeated(ours: Any, check: str) -> None:
    assert ours[check] == {"said": UNKNOWN, "sent": 1, "next": "ok 7"}


def test_descriptor_closed_by_the_application_is_a_loss_like_others(ours: Any, driver: str) -> None:
    """PyMySQL leaves it a bare OSError."""
    number = {"mysqlclient": 2006, "pymysql": 2013}[driver]
    told = f"ConnectionLost {number} unknown_effect"
    check = "descriptor_closed_by_the_application"
    assert ours[check] == {"said": told, "stored": 0, "next": "ok 7"}


@pytest.mark.parametrize("check", ["setting_without_parameters", "setting_with_a_parameter"])
def test_setting_is_made_again(ours: Any, check: str) -> None:
    assert ours[check] == ["ok 1", "ok 1"]


def test_question_about_the_previous_statement_is_not_put_to_another_session(ours: Any) -> None:
    assert ours["last_insert_id"] == "ConnectionLost 2013 not_executed"
