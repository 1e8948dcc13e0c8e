"""What triggers and views leave in a session, which no statement's text shows."""

from __future__ import annotations

from typing import Any

import pytest
from tests.stock.conftest import Both

pytestmark = [pytest.mark.timeout(240), pytest.mark.drawn]
HARMLESS = "trigger that only asks"


def test_what_is_in_no_text_is_its_authors_and_nobody_elses(both: Both) -> None:
    """Where a pool has one connection, the next piece of work may find a new session."""
    pair = both("hidden", timeout=200)
    assert pair.ours.pop("procedure that asks") == pair.stock.pop("procedure that asks")
    assert pair.stock.pop("connects") is pair.ours.pop("connects") is True
    assert len(pair.stock) == 11 * 2 * 2
    unlike: dict[str, Any] = {}
    for name, stock in pair.stock.items():
        ours = pair.ours[name]
        if name.startswith(HARMLESS):
            # Nothing was lost, and it heals; with whoever made it himself the second time.
            assert ours["lost"][1] == [[None]], name
            ours["lost"] = stock["lost"] = []
        elif name.endswith("None"):
            ours["in the next"] = stock["in the next"]
        told, stocks = (
            ["Error" in str(each) for each in said.pop("lost")] for said in (ours, stock)
        )
        if told != stocks:
            unlike[name] = told
        if ours != stock:
            unlike[name] = (stock, ours)
    assert unlike == {}
