"""What a piece of work leaves in Django's own wrapper is there for the next one, or is not.

As with stock: where it would connect anew, nothing is left of blocks, hooks and errors.
"""

from __future__ import annotations

import re

import pytest
from tests.stock.conftest import PROGRAMS, Both, differences, share

LEFT = [
    "nothing",
    "an error",
    "autocommit off",
    "off, and an error",
    "broken block",
    "broken block, on again",
    "broken block, rolled back",
    "undone block, on again",
    "hook, on again",
    "hook, autocommit off",
    "hook by hand",
    "hook of a failed block",
    "closed within",
    "broken by hand",
    "committed by hand",
    "health checks",
]
pytestmark = [pytest.mark.timeout(240), pytest.mark.drawn]


def test_everything_that_is_left_is_named_here() -> None:
    text = (PROGRAMS / "begun_anew.py").read_text()
    listed = re.search(r"^LEFT: .*?= \{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE)
    assert listed is not None
    assert re.findall(r'^    "(.+?)": ', listed[1], re.MULTILINE) == LEFT


def test_next_piece_of_work_begins_as_with_stock(both: Both) -> None:
    part = share(LEFT, 0.5)
    pair = both("begun_anew", timeout=200, env={"PART": ";".join(part)})
    assert len(pair.ours) == 18 * len(part)
    assert differences(pair) == {}
