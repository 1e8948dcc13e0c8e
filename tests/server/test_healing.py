"""G1: outside ``atomic`` no statement fails because its connection died before it was sent."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Report

pytestmark = pytest.mark.fault

LOSSES = [
    "killed",
    "idle_timeout",
    "proxy_cut",
    "driver_closed",
    "descriptor_shut_down",
    "restart",
    "crash",
]
POOL = {"pool": {"max_size": 30}}


@pytest.fixture
def healing(report: Report) -> Any:
    return report("healing", options=POOL, timeout=100)


@pytest.mark.parametrize("loss", LOSSES)
def test_after_any_loss_every_kind_of_statement_works_once(healing: Any, loss: str) -> None:
    stock, ours = healing[loss]["stock"], healing[loss]["lifeline"]
    failed = {name for name, said in stock["said"].items() if not said.startswith("ok")}
    assert {"plain_select", "plain_insert", "atomic", "save", "main_thread"} <= failed
    assert {name: said for name, said in ours["said"].items() if not said.startswith("ok")} == {}
    assert ours["stored"] == healing["expected"]


def test_while_the_server_is_away_the_error_is_djangos_and_numbered(healing: Any) -> None:
    name, code = healing["while_away"].split()[:2]
    assert name == "OperationalError"
    assert code in ("2002", "2003")


def test_when_the_server_is_back_the_same_connection_object_works(healing: Any) -> None:
    assert healing["back_again"] == 7
