"""What receivers of ``connection_created`` do to sessions is as with stock, and heals no worse."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both, compare, scenes

pytestmark = pytest.mark.drawn


@pytest.mark.parametrize("scene", scenes("receivers"))
def test_sessions_are_arranged_as_with_stock(both: Both, scene: str) -> None:
    compare(both("receivers"), scene)
