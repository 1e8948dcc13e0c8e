"""Under gevent a connection stays with the hub that it was opened in, and with one greenlet."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both, differences, needs

pytestmark = pytest.mark.timeout(180)


def test_threads_with_hubs_of_their_own_get_what_they_get_with_stock(both: Both) -> None:
    needs("gevent", "gevent")
    said = both("hubs", gevent=True)
    assert len(said.stock["stored"]) == 24
    assert not differences(said)
