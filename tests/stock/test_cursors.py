"""A cursor has what stock's has over the same driver, and each use of it ends alike.

All names come from the classes of Django and of the driver, and all moments of a cursor's life
are gone through.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.stock.conftest import Both, Pair, differences, scenes, share

pytestmark = [pytest.mark.drawn, pytest.mark.slow, pytest.mark.timeout(600)]

ANYTHING = "*args, **kwargs"
"""How stock's methods look that Django wraps; what they take is seen by calling them."""

NO_CONNECTION = "between two statements it has no connection, which may be in other hands"
OTHERWISE = {
    "_result": "the engine reads PyMySQL's results by a shorter way of its own",
    "execute on the driver's cursor": NO_CONNECTION,
    "execute on the driver's cursor()": NO_CONNECTION,
}
"""What need not be as with stock, and why."""

HEALED = "after_the_connection_was_closed"
MOMENTS = share([each for each in scenes("cursors", "moment") if each != HEALED], 0.25)
LOGGED = share(["before_execute", "in_the_middle", "closed"], 0.3)


@pytest.fixture
def cursors(both: Both) -> Pair:
    """What each engine's cursors had and did."""
    wanted = dict.fromkeys([*MOMENTS, "in_the_middle", HEALED])
    chosen = {"ALL": " ".join(wanted), "LOGGED": " ".join(LOGGED)}
    return both("cursors", env=chosen, timeout=900)


def shown(different: dict[str, Any]) -> str:
    """One difference a line."""
    return "\n".join(f"{name}: {said}" for name, said in different.items())


def test_every_name_of_stocks_cursor_is_compared(cursors: Pair) -> None:
    names = set(cursors.stock["names"])
    assert {"execute", "fetchmany", "lastrowid", "mogrify", "_executed", "debug_sql"} <= names
    assert names == set(cursors.ours["names"])


def test_methods_have_stocks_signatures(cursors: Pair) -> None:
    different = differences(cursors["signatures"])
    exact = {name: said for name, said in different.items() if said["stock"] != ANYTHING}
    assert not exact, shown(exact)


@pytest.mark.parametrize("moment", MOMENTS)
def test_cursor_is_as_with_stock(cursors: Pair, moment: str) -> None:
    different = differences(cursors["moments"][moment])
    worse = {name: said for name, said in different.items() if name not in OTHERWISE}
    assert not worse, shown(worse)


def test_cursor_of_a_closed_connection_is_as_with_stock_or_as_if_it_were_open(
    cursors: Pair,
) -> None:
    """A statement outside a transaction gets another connection, whatever became of the first."""
    different = differences(cursors["moments"][HEALED])
    healed = cursors.stock["moments"]["in_the_middle"]
    worse = {
        name: said
        for name, said in different.items()
        if said["ours"] != healed[name] and name not in OTHERWISE
    }
    assert not worse, shown(worse)


@pytest.mark.parametrize("moment", LOGGED)
def test_debug_cursor_is_as_with_stock(cursors: Pair, moment: str) -> None:
    different = differences(cursors["debug"][moment])
    worse = {name: said for name, said in different.items() if name not in OTHERWISE}
    assert not worse, shown(worse)


def test_cursor_in_a_broken_block_is_as_with_stock(cursors: Pair) -> None:
    different = differences(cursors["broken"])
    worse = {name: said for name, said in different.items() if name not in OTHERWISE}
    assert not worse, shown(worse)
