"""What a piece of work sets and sets back does not outlive it, wherever its connection is lost."""

from __future__ import annotations

import re

import pytest
from tests.stock.conftest import PROGRAMS, Both, share

WORK = [
    "where_it_was_sent_before",
    "unchecked",
    "unchecked_in_a_block",
    "unchecked_round_a_block",
    "unchecked_in_a_block_within",
    "unchecked_by_hand",
    "in_a_begun_one",
    "with_a_parameter",
    "with_a_parameter_in_a_block",
    "in_another_database",
    "in_another_database_in_a_block",
    "flush",
]
REFUSED = re.compile(r"(?:Operational|Interface)Error \d+")
pytestmark = [pytest.mark.timeout(240), pytest.mark.drawn]


def test_every_piece_of_work_is_named_here() -> None:
    text = (PROGRAMS / "set_back.py").read_text()
    listed = re.search(r"^WORK: .*?= \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    assert listed is not None
    assert re.findall(r"\w+", listed[1]) == WORK


def test_what_was_set_and_set_back_is_as_before(both: Both) -> None:
    """A session's own settings, made before, may be there yet: stock loses them.

    Or whoever goes on is refused, as with stock, until he closes what was lost.
    """
    part = share(WORK, 0.34)
    pair = both("set_back", timeout=200, env={"PART": " ".join(part)})
    assert len(pair.ours) > 10 * len(part)
    left = {
        name: cell
        for name, cell in pair.ours.items()
        if cell[3].rpartition("|")[0] != cell[2].rpartition("|")[0]
        and not (REFUSED.fullmatch(cell[3]) and REFUSED.fullmatch(pair.stock[name][3]))
    }
    assert {name: (cell, pair.stock.get(name)) for name, cell in left.items()} == {}
