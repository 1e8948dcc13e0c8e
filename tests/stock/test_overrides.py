"""What a subclass of the engine changes is changed: the same overrides work with both engines."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both, compare, scenes


@pytest.mark.parametrize("scene", scenes("overrides"))
def test_override_takes_effect_as_with_stock(both: Both, scene: str) -> None:
    compare(both("overrides"), scene)
