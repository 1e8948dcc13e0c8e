"""No use of a cursor touches a connection that is in other hands: all states, all uses."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both, differences

pytestmark = [pytest.mark.drawn, pytest.mark.timeout(180)]

STATES, USES = 8, 14
"""And each once more beside an answer that another cursor of the thread left unread, twice."""


def test_late_use_says_what_stock_says_and_disturbs_nobody(both: Both) -> None:
    said = both("late_cursors", timeout=150)
    assert len(said.stock) == STATES * USES * 3
    different = differences(said)
    assert not different, "\n".join(f"{cell}: {each}" for cell, each in different.items())


def test_other_thread_reads_all_of_its_own_answer(both: Both) -> None:
    said = both("late_cursors", timeout=150)
    whole = [[["first"]], True, [["second"]], True, 5]
    cells = [*said.stock.items(), *said.ours.items()]
    assert all(found[1] == whole for name, found in cells if "another is" not in name)
