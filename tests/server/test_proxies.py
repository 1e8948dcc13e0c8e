"""What the engine sends by itself binds no session to one connection of a proxy's."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.server.conftest import Report

pytestmark = pytest.mark.drawn

TRACKED = {
    "autocommit",
    "names",
    "sql_mode",
    "time_zone",
    "transaction_isolation",
    "tx_isolation",  # MariaDB's word for it before 11.1
}
"""What RDS Proxy keeps track of, and ProxySQL as well."""

ALL_THAT_IS_SENT = re.compile(
    r"SET NAMES utf8mb4, @@session\.(transaction|tx)_isolation = 'READ-COMMITTED'"
    r"|(/\*M![\w =]+\*/ )?SELECT VERSION\(\), .*"
    r"|START TRANSACTION|COMMIT|ROLLBACK"
    r"|SET AUTOCOMMIT ?= ?[01]"
    r"|COM_PING|COM_RESET_CONNECTION|COM_CHANGE_USER|COM_INIT_DB|lifeline_\w+",
    re.IGNORECASE,
)
CHECKS = ("opening", "lending_and_giving_back", "giving_back_what_was_set", "transactions")


@pytest.fixture
def ours(report: Report) -> Any:
    return report("proxies")["lifeline"]


@pytest.mark.parametrize("check", CHECKS)
def test_only_statements_of_a_fixed_list_are_sent(ours: Any, check: str) -> None:
    assert [text for text in ours[check] if not ALL_THAT_IS_SENT.fullmatch(text)] == []


@pytest.mark.parametrize("check", CHECKS)
def test_only_variables_that_proxies_track_are_set(ours: Any, check: str) -> None:
    sets = ", ".join(text[4:] for text in ours[check] if text.upper().startswith("SET "))
    names = re.findall(r"(?:^|, )(?:@@session\.)?(\w+)", sets)
    assert {name.lower() for name in names} <= TRACKED


def test_lending_and_giving_back_sends_nothing(ours: Any) -> None:
    assert ours["lending_and_giving_back"] == []


def test_auto_is_null_is_off_where_the_server_has_it_on_and_stays_so(ours: Any) -> None:
    values, statements = ours["opening_where_the_server_has_auto_is_null_on"]
    assert values == [0, 0]
    assert statements[0] == "SET @@session.sql_auto_is_null = 0"
