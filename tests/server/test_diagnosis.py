"""G11: whatever ends a connection, what is said of it names the cause, on a real server."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from tests.server.conftest import Report

from django_lifeline.diagnosis.causes import CAUSES

pytestmark = [pytest.mark.drawn, pytest.mark.fault]


@pytest.fixture
def told(report: Report) -> Any:
    """What each incident of the program was called."""
    return report("diagnosis", timeout=100)


HEALED = {
    "idle_timeout": "idle_timeout",
    "idle_timeout_past_max_idle": "idle_timeout",
    "idle_timeout_own": "idle_timeout",
    "killed": "killed",
    "network_cut_rst": "network_cut",
    "driver_closed": "closed_by_application",
    "restarted": "server_restarted",
}


@pytest.mark.parametrize(("incident", "cause"), HEALED.items())
def test_healed_loss_is_told_with_its_cause(told: Any, incident: str, cause: str) -> None:
    said = told[incident]
    assert said["error"] is None
    assert [(each["healed"], each["cause"]) for each in said["heard"]] == [(True, cause)]
    [diagnosis] = said["heard"]
    assert diagnosis["confidence"] in ("certain", "likely")
    assert (diagnosis["label"], diagnosis["done"]) == ("not_executed", "replaced")


IN_POOL = {
    "killed_in_pool": "killed",
    "cut_in_pool": "network_cut",
    "restarted_in_pool": "server_restarted",
}


@pytest.mark.parametrize(("incident", "cause"), IN_POOL.items())
def test_loss_of_a_connection_that_nobody_held_is_told_as_well(
    told: Any, incident: str, cause: str
) -> None:
    said = told[incident]
    assert said["error"] is None
    assert [(each["healed"], each["cause"]) for each in said["heard"]] == [(True, cause)]


RAISED = {
    "killed_in_flight": ("ConnectionLost", "killed", "likely"),
    "interrupted": ("KeyboardInterrupt", "interrupted", "certain"),
    "two_threads": ("ConnectionLost", "shared_between_threads", "certain"),
    "slow_reader": ("ConnectionLost", "slow_reader", "likely"),
    "read_timeout": ("ConnectionLost", "client_timeout", "certain"),
    "packet": ("PacketTooLarge", "packet_too_large", "certain"),
    "full": ("OperationalError", "too_many_connections", "certain"),
    "exhausted": ("PoolTimeout", "pool_exhausted", "certain"),
    "read_only": ("OperationalError", "read_only", "certain"),
    "crashed_in_flight": ("ConnectionLost", "server_restarted", "likely"),
}


@pytest.mark.parametrize(("incident", "expected"), RAISED.items())
def test_error_that_leaves_has_its_cause_and_a_note(
    told: Any, incident: str, expected: tuple[str, str, str]
) -> None:
    said = told[incident]
    _left_with(said, expected)


def test_refusal_is_told_by_the_systems_error(told: Any) -> None:
    # PyMySQL passes it on, the library behind mysqlclient writes its number into the text.
    _left_with(told["unreachable"], ("OperationalError", "connection_refused", "certain"))


def _left_with(said: Any, expected: tuple[str, str, str]) -> None:
    diagnosis = said["diagnosis"]
    kind = said["error"].split()[0]
    assert (kind, diagnosis["cause"], diagnosis["confidence"]) == expected
    assert diagnosis["done"] == "raised"
    [note] = [note for note in said["notes"] if note.startswith("Cause: ")]
    assert CAUSES[expected[1]].title in note and CAUSES[expected[1]].fix in note


def test_close_behind_a_proxy_is_left_open_between_proxy_and_kill(told: Any) -> None:
    [diagnosis] = told["network_cut_fin"]["heard"]
    assert (diagnosis["cause"], diagnosis["confidence"]) == ("network_cut", "undecided")
    assert "killed" in diagnosis["alternatives"]
    assert diagnosis["settle"]


def test_idle_timeout_names_the_limit_and_whose_it_is(told: Any) -> None:
    [of_all] = told["idle_timeout"]["heard"]
    assert "the limit is 1 s (session wait_timeout; the global one is 28800 s)" in of_all["because"]
    [own] = told["idle_timeout_own"]["heard"]
    assert "set by the application" in own["because"]


def test_rows_that_are_dropped_unread_are_no_loss(told: Any) -> None:
    # The drivers read the rest of them, as with stock.
    assert told["unread"]["heard"] == []


def test_after_a_raised_loss_the_server_is_asked_and_after_a_healed_one_not(told: Any) -> None:
    assert "uptime_seconds" in told["killed_in_flight"]["diagnosis"]["evidence"]
    for incident in HEALED:
        [diagnosis] = told[incident]["heard"]
        assert "uptime_seconds" not in diagnosis["evidence"]


def test_each_loss_is_one_log_record_with_fields(told: Any) -> None:
    logged = [(each["cause"], each["healed"], each["level"]) for each in told["logged"]]
    assert ("killed", True, "INFO") in logged
    assert ("killed", False, "WARNING") in logged
    assert logged.count(("slow_reader", False, "WARNING")) == 1


def test_losses_are_counted_by_cause(told: Any) -> None:
    counted: Counter[tuple[str, bool]] = Counter()
    for cause, healed, times in told["counted"]:
        counted[cause, healed] += times
    assert counted["slow_reader", False] == 1
    assert counted["server_restarted", True] == 2
