"""What a piece of work sets and sets back does not outlive it, wherever its connection is lost."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both

pytestmark = [pytest.mark.timeout(240), pytest.mark.drawn]


def test_what_was_set_and_set_back_is_as_before(both: Both) -> None:
    """A session's own settings, made before, may be there yet: stock loses them."""
    pair = both("set_back", timeout=200)
    assert len(pair.ours) > 100
    left = {
        name: cell
        for name, cell in pair.ours.items()
        if cell[3].rpartition("|")[0] != cell[2].rpartition("|")[0]
    }
    assert {name: (cell, pair.stock.get(name)) for name, cell in left.items()} == {}
