"""With autocommit off, whoever handles errors as people do loses no more than with stock Django."""

from __future__ import annotations

import pytest
from tests.stock.conftest import SEED, WHOLE, Both, Pair

pytestmark = [pytest.mark.timeout(240), pytest.mark.drawn]
CHOICE = {"SEED": str(SEED), "PART": "1" if WHOLE else "0.2"}


@pytest.fixture
def pair(both: Both) -> Pair:
    return both("autocommit_off", timeout=200, env=CHOICE)


def test_what_its_author_takes_for_stored_is_stored(pair: Pair) -> None:
    assert {order: cell for order, cell in pair.ours.items() if not cell[1]} == {}


def test_no_order_of_steps_hears_more_errors_than_with_stock(pair: Pair) -> None:
    worse = {
        order: (pair.stock[order], cell)
        for order, cell in pair.ours.items()
        if cell[0] > pair.stock[order][0] or cell[2] > pair.stock[order][2]
    }
    assert worse == {}
