"""The server goes away at any point of a piece of work: nothing acknowledged is missing later."""

from __future__ import annotations

from typing import Any

import pytest
from tests.stock.conftest import Ours

pytestmark = pytest.mark.timeout(240)

ENDS = ("after _commit", "after _rollback")


def laws(cells: dict[str, list[Any]]) -> dict[str, Any]:
    """The cells in which something acknowledged is missing, or something undone is stored."""
    wrong = {}
    for name, (_, told, _, missing, more, hooks) in cells.items():
        unknown = told != "ok" and set(more) <= {"one", "two"}
        ran = ("with_a_hook" in name and told == "ok") == bool(hooks)
        if missing or (more and not unknown) or not ran:
            wrong[name] = cells[name]
    return wrong


def test_whatever_was_acknowledged_is_stored_and_what_was_undone_is_not(ours: Ours) -> None:
    cells = ours("away", timeout=200)
    assert len(cells) > 100
    assert laws(cells) == {}


def test_block_whose_end_was_answered_is_a_success_though_no_connection_can_be_had(
    ours: Ours,
) -> None:
    cells = ours("away", timeout=200)
    ended = {name: cell for name, cell in cells.items() if cell[0] in ENDS and "hand" not in name}
    assert len(ended) > 10
    assert {name: cell for name, cell in ended.items() if cell[1] != "ok"} == {}


def test_later_work_is_not_left_without_autocommit(ours: Ours) -> None:
    """A lost transaction begun by hand refuses what comes next, until it is rolled back."""
    cells = ours("away", timeout=200)
    left = {name: cell for name, cell in cells.items() if cell[2] is not True}
    assert {name: cell for name, cell in left.items() if "by_hand" not in name} == {}
    assert {name: cell for name, cell in left.items() if cell[2] is False} == {}
