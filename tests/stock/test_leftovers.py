"""G9 by enumeration: of no statement does the next piece of work see more than with stock."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both, differences, share

pytestmark = [pytest.mark.drawn, pytest.mark.timeout(240)]


@pytest.mark.parametrize("way", ["alone", "in_a_block", "by_hand"])
def test_next_piece_of_work_sees_nothing_of_the_last_ones_session(both: Both, way: str) -> None:
    part = share([str(number) for number in range(250)], 1.0 if way == "alone" else 0.3)
    said = both("leftovers", timeout=200, env={"WAY": way, "PART": " ".join(part)})
    assert len(said.stock) > 150 or way != "alone" and len(said.stock) > 30
    different = differences(said)
    assert not different, "\n".join(f"{text}: {each}" for text, each in different.items())
