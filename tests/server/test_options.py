"""G10, G11, G12: settings, who shares connections with whom, and what is said of failures."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Report


@pytest.fixture
def said(report: Report) -> Any:
    return report("options")


# G12


def test_using_the_engine_starts_no_thread(said: Any) -> None:
    assert said["threads"] == 1


def test_settings_make_the_session_they_make_with_stock(said: Any) -> None:
    assert len(said["accepted"]) > 20
    assert {name: both for name, both in said["accepted"].items() if both[0] != both[1]} == {}
    assert [name for name, both in said["accepted"].items() if not both[1].startswith("ok")] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pool_is_a_number", ["OPTIONS['pool'] is 5", "True, False or a dict"]),
        ("pool_is_none", ["OPTIONS['pool'] is None", "True, False or a dict"]),
        ("pool_key", ["'maxsize'", "Did you mean 'max_size'?", "max_waiting"]),
        ("pool_key_in_capitals", ["'MAX_SIZE'", "Did you mean 'max_size'?"]),
        ("pool_value", ["['max_size'] is 0", "a whole number, 1 or more"]),
        ("pool_value_type", ["['timeout'] is '5'", "a number of seconds above 0"]),
        ("pool_value_bool", ["['max_size'] is True", "a whole number, 1 or more"]),
        ("pool_min_over_max", ["['min_size'] is 5", "'max_size' (4)", "Lower 'min_size'"]),
        ("lifeline_is_a_list", ["OPTIONS['lifeline'] is ['retry_reads']", "Set it to a dict"]),
        ("lifeline_key", ["'retry_read'", "Did you mean 'retry_reads'?"]),
        ("lifeline_value", ["['retry_reads'] is 'no'", "True or False"]),
        ("lifeline_negative", ["['ping_timeout'] is -1", "above 0"]),
    ],
)
def test_wrong_option_is_refused_with_alias_value_and_remedy(
    said: Any, name: str, words: list[str]
) -> None:
    for word in [f"DATABASES[{name!r}]", *words]:
        assert word in said["refused"][name]


@pytest.mark.parametrize(("max_age", "kept"), [("0", False), ("None", True), ("60", True)])
def test_without_pool_connections_heal_and_conn_max_age_holds(
    said: Any, max_age: str, kept: bool
) -> None:
    assert said["without_pool"][max_age] == {"kept": kept, "after_kill": "ok 7"}


# G10


def test_aliases_that_differ_never_share_connections(said: Any) -> None:
    sharing = said["sharing"]
    assert sharing["one"] == "ok NAME lifeline"
    assert sharing["name"] == "ok NAME_2 lifeline"
    assert sharing["user"] == "ok NAME second"
    assert sharing["pools"] == 5


def test_aliases_share_no_connections_even_if_their_settings_are_alike(said: Any) -> None:
    # A receiver of connection_created may treat them differently.
    assert said["sharing"]["alike_share"] is False
    assert said["sharing"]["same"] == said["sharing"]["one"], "the same database all the same"


def test_wrong_password_borrows_no_connection_of_the_right_one(said: Any) -> None:
    assert said["sharing"]["wrong"] == "OperationalError 1045"


def test_name_changed_in_place_leads_to_the_other_database(said: Any) -> None:
    assert said["sharing"]["name_changed"] == "NAME_2"


# G11


def test_errors_are_djangos_and_numbered(said: Any, driver: str) -> None:
    refused = 2002 if driver == "mysqlclient" else 2003
    assert said["secrets"]["errors"] == [
        "ConnectionLost 2013 unknown_effect",
        "CommitOutcomeUnknown 2013 commit_unknown",
        "ConnectionLost 2013 rolled_back",
        "ConnectionLost 2013 not_executed",
        "ConnectionLost 2013 not_executed",
        "PoolTimeout 51901",
        "PacketTooLarge 1153",
        f"OperationalError {refused}",
        "OperationalError 1045",
    ]
    assert said["secrets"]["numbered"] is True


def test_no_password_and_no_parameter_is_in_any_error_log_signal_or_repr(said: Any) -> None:
    assert said["secrets"]["logged"] > 10
    assert said["secrets"]["found"] == []
