"""A wrapper that threads share, which Django allows, is not bound to any one of them."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both, compare, scenes

pytestmark = pytest.mark.drawn


@pytest.mark.parametrize("scene", scenes("sharing"))
def test_shared_wrapper_is_as_with_stock(both: Both, scene: str) -> None:
    compare(both("sharing"), scene)
