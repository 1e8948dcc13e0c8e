"""Threads that keep their connections, and wait for one another, wait no longer than with stock."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both, compare, scenes

pytestmark = [pytest.mark.drawn, pytest.mark.timeout(240)]


@pytest.mark.parametrize("scene", scenes("waiting"))
def test_threads_that_keep_connections_are_served_as_with_stock(both: Both, scene: str) -> None:
    compare(both("waiting", timeout=200), scene)
