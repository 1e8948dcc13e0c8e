"""What a lost session held is missed until its author's piece of work ends: nothing runs without.

Stock Django's connection is dead until it is closed, whoever swallows its errors meanwhile.
"""

from __future__ import annotations

import re

import pytest
from tests.stock.conftest import Both, Ours

pytestmark = [pytest.mark.timeout(240), pytest.mark.drawn]
FORGIVEN = ("BEGIN, rolled back", "START TRANSACTION", "COMMIT AND CHAIN")
"""Their ROLLBACK is answered: the server has rolled back what they had done."""
HEALED = re.compile("autocommit off, .*; (swallowed|(COMMIT|ROLLBACK) AND CHAIN); 0")
"""Nothing was done in the mode, and it is set again."""


def test_as_much_is_stored_and_refused_as_with_stock(both: Both) -> None:
    pair = both("missed", timeout=200)
    stock, ours = (
        {name: cell for name, cell in said.items() if ";" in name}
        for said in (pair.stock, pair.ours)
    )
    assert len(stock) == (20 + 2 * 11 + 2 * 9) * (4 + 2)
    for name, cell in ours.items():
        if name.startswith(FORGIVEN):
            cell[1] = stock[name][1]
    wrong = {n: (stock[n], ours[n]) for n in stock if stock[n] != ours[n]}
    assert {n: cells for n, cells in wrong.items() if not HEALED.match(n)} == {}


def test_whoever_takes_it_up_anew_goes_on(ours: Ours) -> None:
    told = ours("missed", timeout=200)["anew"]
    assert told == dict.fromkeys(told, ["error", "error", "ok"])
    assert len(told) == 20


def test_whoever_looks_before_he_goes_on_recovers_as_with_stock(both: Both) -> None:
    """By what it shows of its connection people know that it has to be closed."""
    pair = both("missed", timeout=200)["remedies"]
    assert len(pair.stock) == 5 * 5
    worse = {
        name: (pair.stock[name], pair.ours[name])
        for name in pair.stock
        if any(s == "ok" != o for s, o in zip(pair.stock[name], pair.ours[name], strict=True))
    }
    assert worse == {}


def test_statement_that_a_sites_own_cursor_ran_again_is_no_loss(both: Both) -> None:
    pair = both("missed", timeout=200)["retried"]
    assert pair.ours == pair.stock
    assert pair.ours[:2] == [1, 1]


def test_block_that_is_left_with_a_cursor_is_left(both: Both) -> None:
    """django-mysql's TableLock makes one: where that raised, the thread was refused for ever."""
    pair = both("missed", timeout=200)["cursors"]
    assert pair.ours == pair.stock
    assert pair.ours == [[False, "error", False, 1, ["afterwards"]]] * 2


def test_piece_of_work_goes_on_only_where_it_does_with_stock(both: Both) -> None:
    """Where nothing was held it heals, and stock does not."""
    pair = both("missed", timeout=200)["goes on"]
    assert len(pair.stock) == 8 * 4
    held = {name: cell for name, cell in pair.stock.items() if not name.endswith("nothing")}
    assert {
        name: (held[name], pair.ours[name]) for name in held if held[name] != pair.ours[name]
    } == {}


def test_what_sets_up_a_connection_runs_where_something_is_taken_up_anew(ours: Ours) -> None:
    told = ours("missed", timeout=200)["receiver"]
    assert told == [["error", "error", "ok", "ok"], ["5"]]


def test_child_goes_on_without_what_its_parent_holds_only_once_it_has_closed(ours: Ours) -> None:
    forked = ours("missed", timeout=200)["forked"]
    assert len(forked) == 20
    for state, (told, ended, afterwards, stored) in forked.items():
        assert told == ["error"] * 4, state
        assert [afterwards, stored] == [[[1]], []], state
        if not state.startswith(FORGIVEN):
            assert set(ended) <= {"error"}, state
