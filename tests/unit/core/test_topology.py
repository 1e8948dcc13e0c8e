"""What follows from a server's part, rule by rule."""

from __future__ import annotations

import pytest

from django_lifeline.core.topology import (
    Role,
    Then,
    Wanted,
    after_refusal,
    goes_on,
    is_kept,
    patience,
)

WRITABLE = {"read_only": "OFF", "innodb_read_only": "OFF", "innodb_force_recovery": "0"}
GALERA = {"wsrep_on": "ON", "wsrep_ready": "ON", "wsrep_cluster_status": "Primary"}


def role(**told: object) -> Role:
    return Role.from_rows({**WRITABLE, **told}.items())


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"read_only": "0", "exempt": 0},
        {"read_only": "ON", "exempt": 2},
        {"innodb_force_recovery": "3"},
        # Built in, and not in use.
        {"wsrep_on": "OFF", "wsrep_ready": "OFF", "wsrep_cluster_status": "Disconnected"},
        GALERA,
        {"member_state": "ONLINE"},
        {"member_state": "OFFLINE"},
        {"WSREP_ON": "OFF"},
    ],
)
def test_server_takes_writes(told: dict[str, object]) -> None:
    assert role(**told).takes_writes
    assert role(**told).told in ("", "read_only")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"read_only": "ON"}, "read_only"),
        ({"read_only": "1"}, "read_only"),
        ({"read_only": "ON", "super_read_only": "ON", "exempt": 1}, "read_only, super_read_only"),
        # MariaDB 12, where an administrator is stopped as well.
        ({"read_only": "NO_LOCK_NO_ADMIN", "exempt": 1}, "read_only, super_read_only"),
        ({"innodb_read_only": "ON", "exempt": 1}, "innodb_read_only"),
        ({"innodb_force_recovery": "4"}, "innodb_force_recovery"),
        ({"transaction_read_only": "ON"}, "transaction_read_only"),
        ({"tx_read_only": "ON"}, "transaction_read_only"),
        ({"member_state": "RECOVERING"}, "the member is RECOVERING"),
    ],
)
def test_server_takes_no_writes_and_says_why(told: dict[str, object], said: str) -> None:
    found = role(**told)
    assert not found.takes_writes
    assert found.told == said


@pytest.mark.parametrize(
    "told",
    [
        {"wsrep_ready": "OFF"},
        {"wsrep_cluster_status": "non-Primary"},
        {"wsrep_reject_queries": "ALL"},
    ],
)
def test_node_that_is_not_ready_takes_nothing(told: dict[str, object]) -> None:
    found = role(**{**GALERA, **told})
    assert not found.takes_writes
    assert "wsrep_ready" in found.told


READ_ONLY, NOT_READY = Role(read_only=True), Role(ready=False)


@pytest.mark.parametrize(
    ("found", "wanted", "written", "then"),
    [
        (None, Wanted.WRITABLE, True, Then.NOTHING),
        (Role(), Wanted.WRITABLE, True, Then.NOTHING),
        (READ_ONLY, Wanted.WRITABLE, True, Then.FOLLOW),
        (READ_ONLY, Wanted.WRITABLE, False, Then.LEAVE),
        (READ_ONLY, Wanted.ANY, True, Then.NOTHING),
        (NOT_READY, Wanted.ANY, False, Then.FOLLOW),
        (NOT_READY, Wanted.WRITABLE, False, Then.FOLLOW),
    ],
)
def test_what_follows_from_a_refusal(
    found: Role | None, wanted: Wanted, written: bool, then: Then
) -> None:
    assert after_refusal(found, wanted=wanted, written=written) is then


def test_only_a_session_on_a_demoted_server_is_not_kept() -> None:
    usual = {"read_only": True, "wanted": Wanted.WRITABLE, "written": True, "exempt": False}
    assert not is_kept(**usual)  # type: ignore[arg-type]
    others = {"read_only": False, "wanted": Wanted.ANY, "written": False, "exempt": True}
    for name, value in others.items():
        assert is_kept(**{**usual, name: value})  # type: ignore[arg-type]


def test_only_the_first_search_in_vain_takes_its_time() -> None:
    assert patience(None, 100.0, 10.0) == 10.0
    assert patience(100.0, 100.5, 10.0) is None
    assert patience(100.0, 101.0, 10.0) == 0.0
    assert patience(100.0, 130.0, 10.0) == 10.0


@pytest.mark.parametrize("code", [2002, 2003, 2005, 2013, 1040, 1047, 1053])
def test_search_goes_on_where_a_server_comes_and_goes(code: int) -> None:
    assert goes_on(code)


@pytest.mark.parametrize("code", [1044, 1045, 1049, 1130, 2026, None])
def test_search_ends_where_no_time_will_mend_it(code: int | None) -> None:
    assert not goes_on(code)
