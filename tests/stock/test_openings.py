"""Whatever has a say at connecting has it for every piece of work, as where stock connects anew."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both

pytestmark = pytest.mark.timeout(240)


def test_every_piece_of_work_gets_the_session_that_stock_opens(both: Both) -> None:
    pair = both("openings", timeout=200)
    assert len(pair.stock) >= 16
    assert all(len(first[0]) > 200 for first, _ in pair.stock.values())
    wrong = {name: pair[name] for name in pair.stock if pair.stock[name][1] != pair.ours[name][1]}
    assert wrong == {}
    for name, (first, _) in pair.stock.items():
        ours = pair.ours[name][0]
        other = {
            k: (first[0][k], ours[0].get(k)) for k in first[0] if first[0][k] != ours[0].get(k)
        }
        assert (name, other, ours[1]) == (name, {}, first[1])
