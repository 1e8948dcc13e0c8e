"""What is begun while a connection is opened is over before anybody works on it, as with stock."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both, Pair, differences

pytestmark = [pytest.mark.timeout(600), pytest.mark.drawn]


def test_what_connecting_has_begun_is_stored_and_locks_nothing(both: Both) -> None:
    pair = both("begun_at_connecting", timeout=280)
    assert len(pair.stock) >= 150
    lost = [cell for cell, (first, *_) in pair.stock.items() if first[0] == "OperationalError 2013"]
    # Where ours heals it all goes as where stock connects anew for each piece of work.
    healed = {
        cell: pair.stock[cell.replace("None", "0")] for cell in lost if none_heard(pair, cell)
    }
    assert healed
    assert differences(Pair({**pair.stock, **healed}, pair.ours)) == {}


def none_heard(pair: Pair, cell: str) -> bool:
    *pieces, _end = pair.ours[cell]
    return all(heard is None for heard, _ in pieces)
