"""G3 and G4: transactions are never continued elsewhere, and their outcome is told as it is."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Report

from lifeline_lab.servers import Server

pytestmark = pytest.mark.fault

ROLLED_BACK = "ConnectionLost 2013 rolled_back"
UNKNOWN = "ConnectionLost 2013 unknown_effect"
COMMIT_UNKNOWN = "CommitOutcomeUnknown 2013 commit_unknown"
WORKS = {"next": ["ok 7", "ok 7"], "clean": True}


@pytest.fixture
def stock(report: Report) -> Any:
    return report("transactions")["stock"]


@pytest.fixture
def ours(report: Report) -> Any:
    return report("transactions")["lifeline"]


def lost(said: str) -> bool:
    return said.split()[0] in ("OperationalError", "InterfaceError")


# G3


@pytest.mark.parametrize("check", ["lost_before_its_first_statement", "first_read_lost_in_flight"])
def test_transaction_that_has_done_nothing_is_begun_anew(stock: Any, ours: Any, check: str) -> None:
    assert lost(stock[check]["said"])
    assert ours[check] == {"said": "ok", "stored": 1, "hooks": 1, **WORKS}


@pytest.mark.parametrize(
    "check",
    [
        "lost_between_two_writes",
        "lost_between_two_reads",
        "lost_in_flight",
        "first_write_lost_in_flight",
        "lost_in_a_nested_block",
        "lost_before_a_savepoint",
    ],
)
def test_loss_inside_a_block_raises_and_stores_nothing(stock: Any, ours: Any, check: str) -> None:
    assert stock[check]["said"] != "ok"
    assert ours[check] == {"said": ROLLED_BACK, "stored": 0, "hooks": 0, **WORKS}


def test_block_that_django_marked_for_rollback_says_so_as_with_stock(stock: Any, ours: Any) -> None:
    """It could not go back to a savepoint."""
    check = "lost_before_a_return_to_a_savepoint"
    said = stock[check]["said"]
    assert said.startswith("TransactionManagementError")
    assert ours[check] == {"said": said, "stored": 0, "hooks": 0, **WORKS}


@pytest.mark.parametrize("check", ["swallowed_loss", "swallowed_loss_in_the_one_and_only_write"])
def test_loss_that_was_swallowed_raises_at_the_end_of_the_block(
    stock: Any, ours: Any, check: str
) -> None:
    assert lost(stock[check]["said"])
    expected = {"said": ROLLED_BACK, "inner": ROLLED_BACK, "stored": 0, "hooks": 0, **WORKS}
    assert ours[check] == expected


def test_loss_swallowed_round_a_nested_block_is_told_at_the_end_of_the_outer_one(
    stock: Any, ours: Any
) -> None:
    # Django itself ends this block in silence, as it does whenever a savepoint cannot be
    # returned to, and nothing is stored.
    assert stock["lost_in_a_nested_block_and_swallowed"]["said"] == "ok"
    assert ours["lost_in_a_nested_block_and_swallowed"] == {
        "said": ROLLED_BACK,
        "inner": ROLLED_BACK,
        "later_write_refused": True,
        "stored": 0,
        "hooks": 0,
        **WORKS,
    }


def test_blocks_own_exception_comes_before_the_loss(ours: Any) -> None:
    check = ours["lost_and_the_block_raises_something_else"]
    assert check == {"said": "LookupError", "stored": 0, **WORKS}


def test_close_inside_a_block_stores_nothing(stock: Any, ours: Any) -> None:
    for engine in (stock, ours):
        assert engine["closed_inside"]["stored"] == 0
        assert engine["closed_inside"]["next"] == WORKS["next"]
    assert ours["closed_inside"]["inner"] == stock["closed_inside"]["inner"]


def test_loss_inside_a_durable_block_raises_and_stores_nothing(ours: Any) -> None:
    assert ours["durable"] == {"said": ROLLED_BACK, "stored": 0, **WORKS}


def test_atomic_request_that_lost_its_connection_is_a_500_and_the_next_is_not(ours: Any) -> None:
    assert ours["atomic_request"] == {"pages": [500, 200], "stored": 1}


def test_lost_manual_transaction_refuses_everything_until_rolled_back(
    stock: Any, ours: Any
) -> None:
    assert lost(stock["manual_transaction"]["rollback"])
    assert ours["manual_transaction"] == {
        "said": ROLLED_BACK,
        "again_refused": True,
        "commit_refused": True,
        "halves": 0,
        "rollback": "ok",
        # A write and its rollback, then a write and its commit: the mode outlives the loss.
        "anew": ["ok", "ok", "ok", "ok"],
        "stored": 1,
    }


def test_manual_transaction_lost_before_commit_is_told_as_rolled_back(
    stock: Any, ours: Any
) -> None:
    assert lost(stock["manual_transaction_lost_before_commit"]["next"][0])
    check = ours["manual_transaction_lost_before_commit"]
    assert check == {"said": ROLLED_BACK, "stored": 0, **WORKS}


def test_lost_manual_transaction_cannot_be_committed_by_enabling_autocommit(ours: Any) -> None:
    check = ours["manual_transaction_lost_and_given_up"]
    assert check["enabled"] == ROLLED_BACK
    # The end of the request ends it, and the next one works.
    assert (check["stored"], check["next"], check["clean"]) == (0, ["ok 7", "ok 7"], True)


def test_autocommit_stays_off_when_only_the_connection_was_lost(stock: Any, ours: Any) -> None:
    assert lost(stock["nothing_lost_but_the_connection"]["said"][1])
    expected = {"said": ["ok", "ok", "ok"], "before": 0, "stored": 1}
    assert ours["nothing_lost_but_the_connection"] == expected


def test_transaction_begun_in_sql_raises_when_lost(stock: Any, ours: Any) -> None:
    assert all(map(lost, stock["raw_begin"]["next"]))
    refused = ["ConnectionLost 2013 not_executed", "ok 7"]
    assert ours["raw_begin"] == {"said": ROLLED_BACK, "stored": 0, "next": refused}
    assert ours["raw_begin_and_commit"] == {"said": ROLLED_BACK, "stored": 0}


@pytest.mark.parametrize(
    "check", ["lost_after_an_implicit_commit", "lost_before_commit_after_an_implicit_commit"]
)
def test_transaction_that_ddl_stored_in_part_is_not_called_rolled_back(
    ours: Any, check: str
) -> None:
    assert ours[check] == {"said": UNKNOWN, "stored": 1, "hooks": 0, **WORKS}


# G4


@pytest.mark.parametrize(
    "check", ["lost_after_the_answer_to_commit", "lost_after_the_answer_to_commit_with_state"]
)
def test_loss_after_the_answer_to_commit_does_not_surface(
    stock: Any, ours: Any, check: str
) -> None:
    assert lost(stock[check]["said"])
    assert (stock[check]["stored"], stock[check]["hooks"]) == (1, 0)
    told = {"next": ["ConnectionLost 2013 not_executed"] * 2} if check.endswith("state") else {}
    # The lock that is gone is told to who goes on without it.
    assert ours[check] == {"said": "ok", "stored": 1, "hooks": 1, **WORKS, **told}


def test_commit_hook_writes_on_another_connection_after_the_loss(stock: Any, ours: Any) -> None:
    assert stock["hook_that_writes_after_a_loss"]["stored"] == 1
    expected = {"said": "ok", "stored": 2, "hooks": 1, **WORKS}
    assert ours["hook_that_writes_after_a_loss"] == expected


@pytest.mark.parametrize(
    ("check", "stored"), [("commit_without_an_answer", 1), ("commit_that_never_arrived", 0)]
)
def test_commit_without_an_answer_is_told_as_unknown_and_runs_no_hook(
    stock: Any, ours: Any, check: str, stored: int
) -> None:
    assert stock[check]["said"] == "OperationalError 2013"
    assert ours[check] == {"said": COMMIT_UNKNOWN, "stored": stored, "hooks": 0, **WORKS}


def test_commit_that_was_not_sent_is_told_as_rolled_back(stock: Any, ours: Any) -> None:
    assert lost(stock["commit_not_sent"]["said"])
    assert ours["commit_not_sent"] == {"said": ROLLED_BACK, "stored": 0, "hooks": 0, **WORKS}


@pytest.mark.parametrize(
    "check",
    ["read_only_commit_not_sent", "read_only_commit_without_an_answer", "empty_block_lost"],
)
def test_lost_commit_of_a_transaction_that_only_read_is_a_success(
    stock: Any, ours: Any, check: str
) -> None:
    assert lost(stock[check]["said"])
    assert ours[check] == {"said": "ok", "stored": 0, "hooks": 1, **WORKS}


def test_manual_commit_without_an_answer_is_told_as_unknown(ours: Any) -> None:
    check = ours["manual_commit_without_an_answer"]
    assert check == {"said": COMMIT_UNKNOWN, "stored": 1, **WORKS}
    # Enabling autocommit commits.
    check = ours["autocommit_switched_on_without_an_answer"]
    assert check == {"said": COMMIT_UNKNOWN, "stored": 1}


def test_commit_that_ended_its_own_session_is_not_called_rolled_back(
    ours: Any, driver: str, server: Server
) -> None:
    if driver == "pymysql":
        pytest.skip("PyMySQL does not send several statements at once.")
    # The drivers read the first result only, and find out with the next statement.
    expected = {"said": "ok", "stored": 1, "next": UNKNOWN}
    assert ours["raw_commit_that_ends_its_own_session"] == expected


# Without any loss


def test_transactions_of_every_odd_form_store_what_they_store_with_stock(report: Report) -> None:
    stories = report("semantics", timeout=100)
    stock, ours = stories["stock"], stories["lifeline"]
    assert {name: ours[name] for name in stock if ours[name] != stock[name]} == {}


def test_ddl_inside_a_block_stores_the_first_half_and_only_that(report: Report) -> None:
    story = report("semantics", timeout=100)["lifeline"]["ddl_in_the_middle"]
    assert story[:4] == ["ok, stored []", "ok, stored [1]", "ok, stored [1]", "ok, stored [1]"]
