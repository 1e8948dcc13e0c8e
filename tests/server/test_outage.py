"""While the server is away callers hear so at once, and when it is back they are served."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Report

pytestmark = [pytest.mark.drawn, pytest.mark.fault]

CALLERS = 20


@pytest.fixture
def outage(report: Report) -> Any:
    return report("outage", timeout=100)


def test_each_of_a_crowd_is_told_the_real_error(outage: Any) -> None:
    said = outage["lifeline"]["refusing"]
    assert sum(said.values()) == CALLERS
    assert set(said) == set(outage["stock"]["refusing"])


def test_in_a_black_hole_nobody_waits_for_several_attempts_in_a_row(outage: Any) -> None:
    said, attempts = outage["lifeline"]["silent"]
    stocks, stock_attempts = outage["stock"]["silent"]
    assert said == stocks
    assert 4 <= attempts < CALLERS == stock_attempts


def test_after_an_outage_everybody_is_served(outage: Any) -> None:
    assert outage["lifeline"]["back_again"] == ["OperationalError", {"ok 1": CALLERS}]


def test_with_ride_out_those_who_ask_meanwhile_are_served_at_its_end(outage: Any) -> None:
    ours, stocks = (outage["patient"][name]["rides_out"] for name in ("lifeline", "stock"))
    assert ours == {"ok 1": CALLERS}
    assert "ok 1" not in stocks


def test_with_ride_out_a_wrong_password_is_told_at_once(outage: Any) -> None:
    ours, stocks = (outage["patient"][name]["wrong_password"] for name in ("lifeline", "stock"))
    assert ours == stocks == "OperationalError 1045"
