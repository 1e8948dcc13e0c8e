"""Hooks of ``on_commit`` do with the connection what they like, as with stock."""

from __future__ import annotations

import pytest
from tests.stock.conftest import WHOLE, Both, differences

pytestmark = [pytest.mark.drawn, pytest.mark.timeout(400)]


def test_whatever_hooks_do_with_the_connection_goes_as_with_stock(both: Both) -> None:
    said = both("commit_hooks", env={"WHOLE": "1" if WHOLE else ""}, timeout=400)
    assert len(said.stock) >= 200
    different = differences(said)
    assert not different, "\n".join(f"{name}: {each}" for name, each in different.items())
