"""Whatever is asked of a wrapper, it answers for the server as it is now.

Enumerated: every question, in every state, after everything that may have happened. Stock
Django is the judge where all is well. After a loss it keeps a dead connection; then laws judge.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.stock.conftest import Both, Ours

pytestmark = [pytest.mark.drawn, pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(300)]

RIGHT = 2
"""What the next statement says where there is a server."""
ASKS_THE_DRIVER = "ping_the_drivers_object"
SHOWS_THE_HELD_ONE = {ASKS_THE_DRIVER, "is_usable"}
"""They are about the connection in hand, which may be dead though another can be had."""

IN_THE_NEXT = "ensure_in_the_next_piece_of_work"

Cell = tuple[str, str, str, Any]


def cells(said: dict[str, Any]) -> Iterator[Cell]:
    """Event, state, question, and what was said."""
    for name, found in said.items():
        event, state, question = name.split(", ")
        yield event, state, question, found


def is_djangos_alone(cell: Cell) -> bool:
    """Whether the block's connection was closed, so that Django answers without one."""
    return cell[1].startswith("in_a_block_that_") and cell[2] == IN_THE_NEXT


def told(broken: list[Cell]) -> str:
    return "\n".join(f"{', '.join(cell[:3])}: {cell[3]}" for cell in broken)


@pytest.fixture
def health(ours: Ours) -> list[Cell]:
    """All cells of our engine."""
    found = list(cells(ours("health", timeout=240)))
    assert len(found) == 4 * 9 * 7
    return found


def is_error(answer: Any) -> bool:
    """Whether an error was raised, anywhere in it."""
    return any("Error" in str(each) for each in (answer if isinstance(answer, list) else [answer]))


def test_nothing_is_said_to_be_well_while_the_server_is_down(health: list[Cell]) -> None:
    down = [cell for cell in health if cell[0] == "server_stops"]
    broken = [cell for cell in down if cell[3]["said"] == "well" and not is_djangos_alone(cell)]
    assert down and not broken, told(broken)


def test_next_statement_works_wherever_there_is_a_server(health: list[Cell]) -> None:
    up = [cell for cell in health if cell[0] != "server_stops"]
    broken = [cell for cell in up if cell[3]["then"] != RIGHT]
    assert up and not broken, told(broken)


def test_outside_a_transaction_a_dead_connection_is_replaced(health: list[Cell]) -> None:
    broken = [
        cell
        for cell in health
        if cell[0] != "server_stops"
        and not cell[1].startswith("in_a_block_that_")
        and cell[1] != "without_autocommit"
        and cell[2] not in SHOWS_THE_HELD_ONE
        and cell[3]["said"] != "well"
    ]
    assert not broken, told(broken)


def test_connection_in_hand_is_usable_only_where_the_next_statement_needs_no_other(
    health: list[Cell],
) -> None:
    broken = [
        cell
        for cell in health
        if cell[2] in SHOWS_THE_HELD_ONE
        and cell[0] != "nothing"
        and cell[3]["said"] == "well"
        and is_error(cell[3]["ended"])
    ]
    assert not broken, told(broken)


def test_lost_write_is_told_by_the_question_or_at_the_end_of_its_block(
    health: list[Cell],
) -> None:
    broken = [
        cell
        for cell in health
        if cell[0] != "nothing"
        and cell[1] == "in_a_block_that_wrote"
        and not is_djangos_alone(cell)  # rolled back, as with stock
        and not is_error(cell[3]["ended"])
    ]
    assert not broken, told(broken)


def test_errors_are_djangos_and_numbered(health: list[Cell]) -> None:
    said = [
        (*cell[:3], answer)
        for cell in health
        for answer in (cell[3]["said"], cell[3]["then"])
        if is_error(answer) and cell[2] != ASKS_THE_DRIVER
    ]
    numbered = ("OperationalError 20", "InterfaceError 0", "TransactionManagementError")
    broken = [cell for cell in said if not str(cell[3]).startswith(numbered)]
    assert said and not broken, told(broken)


def test_answers_are_stocks_where_stock_is_right(both: Both) -> None:
    said = both("health", timeout=240)
    judged = {
        cell: stock
        for cell, stock in said.stock.items()
        if cell.startswith("nothing,") or stock["then"] == RIGHT and not is_error(stock["ended"])
    }
    assert len(judged) > 100
    broken = {cell: (stock, said.ours[cell]) for cell, stock in judged.items()}
    broken = {cell: pair for cell, pair in broken.items() if pair[0] != pair[1]}
    assert not broken, "\n".join(f"{cell}: {pair}" for cell, pair in broken.items())


def test_driver_in_a_dead_block_says_what_it_says_with_stock(both: Both) -> None:
    said = both("health", timeout=240)
    broken = {
        cell: (stock["said"], said.ours[cell]["said"])
        for cell, stock in said.stock.items()
        if cell.endswith(tuple(SHOWS_THE_HELD_ONE))
        and stock["said"] != said.ours[cell]["said"]
        and said.ours[cell]["said"] != "well"  # it was replaced, and could be
    }
    assert not broken, "\n".join(f"{cell}: {pair}" for cell, pair in broken.items())
