"""After a failover that leaves the old primary up and read only, writes go where its name leads."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Report

pytestmark = [pytest.mark.drawn, pytest.mark.fault]

OPTIONS = {"lifeline": {"failover_timeout": 2}}
REFUSED = [1290, None, None, None]


@pytest.fixture
def failover(report: Report) -> Any:
    return report("failover", options=OPTIONS, timeout=100)


def test_a_planned_switch_over_costs_no_statement_outside_transactions(failover: Any) -> None:
    stock, ours = (failover[engine]["planned_switch_over"] for engine in ("stock", "lifeline"))
    assert stock["said"]["write OperationalError 1290"] > 0
    assert set(ours["said"]) == {"write ok", "read ok 1"}
    assert ours["on the new server"]


def test_what_was_acknowledged_is_stored_once(failover: Any) -> None:
    assert failover["lifeline"]["planned_switch_over"]["lost or twice"] == {}


def test_idle_sessions_of_the_old_server_end_too(failover: Any) -> None:
    assert failover["lifeline"]["planned_switch_over"]["sessions left on the old one"] == 0


def test_the_move_is_told_once(failover: Any) -> None:
    [told] = failover["lifeline"]["planned_switch_over"]["told"]
    assert told["alias"] == "lifeline-planned_switch_over"
    ports = [int(told[name].rpartition(":")[2]) for name in ("old", "new")]
    assert ports == failover["ports"]


def test_the_first_statement_of_a_transaction_moves_with_it(failover: Any) -> None:
    assert failover["lifeline"]["first_statement_of_a_transaction"] == ["ok", [1, 2]]
    assert failover["stock"]["first_statement_of_a_transaction"][0] == "OperationalError 1290"


@pytest.mark.parametrize("name", ["transaction_with_work", "commit"])
def test_a_transaction_with_work_raises_once_and_the_next_goes_on(failover: Any, name: str) -> None:
    said, then, rows = failover["lifeline"][name]
    assert said == [1290, "failover", "likely", "rolled_back"]
    assert (then, rows) == ("ok", [1, 1])
    assert failover["stock"][name] == [REFUSED, "OperationalError 1290", [1, 0]]


def test_where_nothing_takes_over_only_the_first_waits_and_reads_go_on(failover: Any) -> None:
    said, quick, reads, afterwards, rows = failover["lifeline"]["name_that_stays"]
    assert said == [[1290, "failover", "likely", "not_executed"]] * 6
    assert quick
    assert (reads, afterwards, rows) == ("ok 7", "ok", [2, 0])


def test_an_alias_that_never_wrote_connects_anew_for_the_next_piece_of_work(failover: Any) -> None:
    said, then = failover["lifeline"]["alias_that_never_wrote"]
    assert said == [1290, "read_only", "certain", "not_executed"]
    assert then == "ok"


@pytest.mark.parametrize("name", ["another_option_prevents", "exempt_account"])
def test_another_reason_for_1290_costs_one_round_trip_and_no_claim(
    failover: Any, name: str
) -> None:
    assert failover["stock"][name] == [REFUSED, 1, True]
    assert failover["lifeline"][name] == [REFUSED, 2, True]


def test_a_session_that_chose_to_read_only_keeps_its_error_without_a_claim(failover: Any) -> None:
    said, then = failover["lifeline"]["session_that_chose_it"]
    assert (said, then) == ([1792, None, None, None], "ok")


def test_an_alias_of_any_server_is_left_where_it_is(failover: Any) -> None:
    assert failover["any"] == [[1290, "read_only", "certain", "not_executed"], True]
