"""G2 by enumeration: after a swallowed error a block is, and ends, as it does with stock."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both, differences, share

pytestmark = [pytest.mark.drawn, pytest.mark.timeout(240)]

CASES = [
    f"{error}/{statement}/{end}"
    for error in range(7)
    for statement in range(18)
    for end in ("undone", "stored", "lost")
]


def test_block_after_an_error_ends_as_with_stock(both: Both) -> None:
    part = share(CASES, 0.3)
    said = both("after_errors", timeout=200, env={"PART": " ".join(part)})
    assert said.stock
    different = differences(said)
    assert not different, "\n".join(f"{text}: {each}" for text, each in different.items())
