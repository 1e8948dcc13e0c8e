"""Nobody leaves a block as if all were well whose acknowledged work went with its connection.

With stock Django he does where the loss was caught inside of it, or another error took its place.
"""

from __future__ import annotations

import pytest
from tests.stock.conftest import SEED, WHOLE, Both, Pair

PATIENCE = 1500 if WHOLE else 300
pytestmark = [pytest.mark.timeout(2 * PATIENCE), pytest.mark.drawn]
CHOICE = {"SEED": str(SEED), "PART": "1" if WHOLE else "0.1"}


@pytest.fixture
def pair(both: Both) -> Pair:
    return both("swallowed", timeout=PATIENCE, env=CHOICE)


def test_whose_acknowledged_work_is_lost_hears_of_it(pair: Pair) -> None:
    assert len(pair.ours) == (2 + 16 + 96) * 5 * 8 or not WHOLE
    missing = {name: cell for name, cell in pair.ours.items() if cell["missing"]}
    # Django itself rolls back what an error of his own has left, and nobody has met a loss.
    assert {n: c for n, c in missing.items() if not (c["marked"] and "own error" in n)} == {}
    assert [cell for cell in pair.stock.values() if cell["missing"]]


def test_nothing_is_stored_that_was_undone(pair: Pair) -> None:
    assert {name: cell for name, cell in pair.ours.items() if cell["undone"]} == {}


def test_who_has_lost_nothing_hears_what_he_hears_with_stock(pair: Pair) -> None:
    """Above all nothing, where stock Django goes on and is right."""
    fine = {
        name
        for name, cell in pair.stock.items()
        if not (cell["heard"] or cell["missing"] or cell["marked"])
    }
    assert fine
    assert {name: pair.ours[name] for name in fine if pair.ours[name]["heard"]} == {}
