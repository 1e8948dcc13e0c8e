"""Whatever can be overridden in Django's wrapper is asked for when stock asks for it.

The names come from Django's classes, so that a new Django's new hook is seen; nobody keeps a list.
Where something differs on purpose, it is named here together with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.stock.conftest import SEED, WHOLE, Both, Pair

pytestmark = [pytest.mark.drawn, pytest.mark.slow, pytest.mark.timeout(600)]

FIRST_USE = ("get_connection_params", "get_new_connection", "init_connection_state")
CHOICE = {"SEED": str(SEED), "PART": str(1 if WHOLE else 0.1), "ALWAYS": " ".join(FIRST_USE)}
MANNERS = ("in_a_subclass", "in_djangos_class", "in_the_engines_class", "on_the_wrapper")

OF_ITS_OWN = {
    "mysql_server_data": "every new connection of the engine knows its server already",
    "temporary_connection": "so none is asked for to read about the server",
}
"""What stock asks for only to learn about the server on its first connection, and why not here."""


@pytest.fixture(params=MANNERS)
def hooks(request: pytest.FixtureRequest, both: Both) -> Pair:
    """What was asked for in each piece of work, for everything that can be overridden."""
    return both("hooks", env={"MANNER": request.param, **CHOICE}, timeout=900)


def cells(hooks: Pair) -> Iterator[tuple[str, str, int, int]]:
    """Each name and piece of work, and how often stock and ours asked."""
    for label, stock in hooks.stock.items():
        ours = hooks.ours[label]
        for work in stock["came"]:
            asked = stock["asked"].get(work, 0)
            if stock["begun"][work]:
                if label.rpartition(".")[2] in OF_ITS_OWN:
                    continue
                if work != "first_query" and not ours["begun"][work]:
                    # What it asks for to open a connection is not asked for where one was kept.
                    asked -= stock["asked"].get("connects_again", 0)
            yield label, work, max(asked, 0), ours["asked"].get(work, 0)


def test_everything_that_stock_asks_for_is_asked_for(hooks: Pair) -> None:
    missed = [
        f"{label} in {work}" for label, work, stock, ours in cells(hooks) if stock > 0 == ours
    ]
    assert not missed, "\n".join(missed)


def test_methods_are_called_as_often_as_by_stock_where_no_connection_is_opened(
    hooks: Pair,
) -> None:
    other = [
        f"{label} in {work}: {stock}, not {ours}"
        for label, work, stock, ours in cells(hooks)
        if hooks.stock[label]["kind"] == "method"
        and not hooks.stock[label]["begun"][work]
        and stock != ours
    ]
    assert not other, "\n".join(other)


def test_no_more_connections_are_opened_than_by_stock(hooks: Pair) -> None:
    more = [
        f"{label} in {work}"
        for label, stock in hooks.stock.items()
        for work, begun in stock["begun"].items()
        if hooks.ours[label]["begun"][work] > begun
    ]
    assert not more, "\n".join(more)


def test_work_with_an_override_comes_out_as_with_stock(hooks: Pair) -> None:
    other = {
        f"{label} in {work}": (said, hooks.ours[label]["came"][work])
        for label, stock in hooks.stock.items()
        for work, said in stock["came"].items()
        if hooks.ours[label]["came"][work] != said
    }
    assert not other, "\n".join(f"{cell}: {said}" for cell, said in other.items())


def test_first_use_makes_parameters_connects_and_initialises(both: Both) -> None:
    """The program itself: stock asks for what the other tests of this file compare."""
    stock = both("hooks", env={"MANNER": "in_a_subclass", **CHOICE}, timeout=900).stock
    for name in FIRST_USE:
        assert stock[name]["asked"]["first_query"] == 1
    asked = {label for label, seen in stock.items() if seen["asked"]}
    assert len(asked) > 0.9 * len(stock), sorted(set(stock) - asked)


def test_what_somebody_puts_into_djangos_own_cursor_is_called(both: Both) -> None:
    pair = both("patched_below")
    assert len(pair.stock) == 6
    wrong = {name: (pair.stock[name], pair.ours[name]) for name in pair.stock}
    assert {name: cells for name, cells in wrong.items() if cells[0] != cells[1]} == {}
