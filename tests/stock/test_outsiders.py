"""Programs of people who have not seen the code go with this engine as with stock Django."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both, compare, scenes

pytestmark = [pytest.mark.timeout(400), pytest.mark.drawn]


@pytest.mark.parametrize("scene", scenes("outsiders"))
def test_program_of_an_outsider_goes_as_with_stock(both: Both, scene: str) -> None:
    compare(both("outsiders", timeout=200), scene)
