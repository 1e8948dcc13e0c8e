"""Who keeps the driver's connection hears from it that it is gone, as with stock Django.

Not that an answer had not been read (2014), which sends people looking for another fault.
"""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both

pytestmark = [pytest.mark.drawn, pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(300)]

GONE = ("2006", "2013", "0", "Already closed", "4031", "1927")
"""How the drivers say that the server, or the connection, is gone."""


def test_every_use_after_every_loss_says_that_the_connection_is_gone(both: Both) -> None:
    said = both("drivers_object", timeout=240)["uses"]
    stock, ours = (
        {cell: found[:2] for cell, found in each.items()} for each in (said.stock, said.ours)
    )
    assert len(stock) == 9 * 8
    otherwise = {
        cell: (found, stock[cell])
        for cell, found in ours.items()
        if any(not each.endswith(GONE) for each in found) and found != stock[cell]
    }
    assert not otherwise, "\n".join(f"{cell}: {found}" for cell, found in otherwise.items())


def test_nobody_else_is_disturbed_by_it(both: Both) -> None:
    said = both("drivers_object", timeout=240)["uses"]
    assert {found[2] for found in said.ours.values()} == {4}


def test_nothing_runs_without_what_was_set_in_it(both: Both) -> None:
    said = both("drivers_object", timeout=240)["sets"]
    assert len(said.stock) == 5
    assert said.ours == said.stock
