"""What a subclass of the engine changes is changed: the same overrides work with both engines."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both, compare, scenes

pytestmark = pytest.mark.drawn

OTHERWISE = {
    "session_without_djangos_settings": "the engine makes Django's assignments when it opens a "
    "connection, before any hook: isolation_level in OPTIONS says what is wanted"
}
"""What need not be as with stock, and why."""


@pytest.mark.parametrize("scene", [each for each in scenes("overrides") if each not in OTHERWISE])
def test_override_takes_effect_as_with_stock(both: Both, scene: str) -> None:
    compare(both("overrides"), scene)
