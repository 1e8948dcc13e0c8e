"""What may be asked about a statement is answered for its author, as with stock: by enumeration."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both, differences, share

pytestmark = [pytest.mark.drawn, pytest.mark.timeout(240)]

PAIRS = [f"{statement}/{question}" for statement in range(43) for question in range(17)]


def test_questions_about_the_last_statement_are_answered_as_with_stock(both: Both) -> None:
    part = share(PAIRS, 0.1)
    said = both("asked", timeout=200, env={"PART": " ".join(part)})
    assert len(said.stock) == 4 * len(part)
    different = differences(said)
    assert not different, "\n".join(f"{text}: {each}" for text, each in different.items())
