"""No fact of the server is older than the connection in use: raised, lowered, restarted."""

from __future__ import annotations

from typing import Any

import pytest
from tests.stock.conftest import Both, Ours

pytestmark = [pytest.mark.drawn, pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(300)]


def test_raised_limit_is_used_wherever_stock_uses_it(both: Both) -> None:
    said = both("server_facts", timeout=240)["limit_is_raised"]
    assert set(map(tuple, said.stock.values())) == {("refused", "stored")}
    assert said.ours == said.stock


def test_lowered_limit_holds_from_the_next_connection_on(both: Both) -> None:
    said = both("server_facts", timeout=240)["limit_is_lowered"]
    assert set(map(tuple, said.stock.values())) == {("stored", "refused")}
    # A session that the pool has kept may send what it always could.
    other = {cell: found for cell, found in said.ours.items() if found != said.stock[cell]}
    kept = {cell for cell in said.ours if cell.startswith(("new_piece_of_work", "closed"))}
    assert set(other) == kept
    assert all(found == ["stored", "stored"] for found in other.values())


def test_block_is_stored_whole_or_not_at_all_after_the_limit_was_raised(ours: Ours) -> None:
    assert ours("server_facts", timeout=240)["limit_is_raised_before_a_block"] is True


def test_what_django_knows_of_a_session_is_what_the_server_says(ours: Ours) -> None:
    said: dict[str, Any] = ours("server_facts", timeout=240)["everything_else_is_changed"]
    assert len(said) == 12
    assert all(found == [True, True] for found in said.values()), said
