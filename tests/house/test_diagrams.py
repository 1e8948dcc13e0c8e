"""Diagrams are text, drawn by hand: every line in them leads somewhere, and they fit the page."""

from __future__ import annotations

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
DIAGRAMS = sorted((DOCS / "diagrams").glob("*.txt"))
WIDEST = 92

UP, DOWN, LEFT, RIGHT = (-1, 0), (1, 0), (0, -1), (0, 1)
ARMS = {
    "│": (UP, DOWN),
    "┌": (DOWN, RIGHT),
    "┐": (DOWN, LEFT),
    "└": (UP, RIGHT),
    "┘": (UP, LEFT),
    "├": (UP, DOWN, RIGHT),
    "┤": (UP, DOWN, LEFT),
    "┬": (DOWN, LEFT, RIGHT),
    "┴": (UP, LEFT, RIGHT),
}
OPPOSITE = {UP: DOWN, DOWN: UP, LEFT: RIGHT, RIGHT: LEFT}


def loose_ends(text: str) -> list[str]:
    """Return the places of lines that end in nothing, or at the side of another line."""
    rows = text.splitlines()
    found = []
    for y, row in enumerate(rows):
        for x, sign in enumerate(row):
            for arm in ARMS.get(sign, ()):
                y2, x2 = y + arm[0], x + arm[1]
                beside = rows[y2][x2] if 0 <= y2 < len(rows) and 0 <= x2 < len(rows[y2]) else " "
                joined = beside not in ARMS or OPPOSITE[arm] in ARMS[beside]
                if beside == " " or not joined or (beside == "─" and arm in (UP, DOWN)):
                    found.append(f"line {y + 1}, column {x + 1}: {sign}")
    return found


def test_a_line_that_ends_in_nothing_is_noticed() -> None:
    assert loose_ends("┌─┐\n│a│\n└─┘") == []
    assert loose_ends("┌─┐\n│a \n└─┘") == ["line 1, column 3: ┐", "line 3, column 3: ┘"]


@pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.stem)
def test_lines_of_a_diagram_lead_somewhere_and_fit_the_page(path: Path) -> None:
    text = path.read_text()
    assert loose_ends(text) == []
    assert max(map(len, text.splitlines())) <= WIDEST


@pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.stem)
def test_diagram_is_shown_on_a_page(path: Path) -> None:
    assert any(f"diagrams/{path.name}" in page.read_text() for page in DOCS.glob("*.md"))
