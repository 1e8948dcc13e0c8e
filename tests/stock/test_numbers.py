"""Whatever number the server answers with, the work goes on as with stock Django."""

from __future__ import annotations

import json

import pytest
from tests.stock.conftest import Both, differences, share

from django_lifeline.core.classification import LAST_WORDS

pytestmark = [pytest.mark.timeout(240), pytest.mark.drawn]

NUMBERS = [str(n) for n in (*range(1, 2000), *range(3000, 4300)) if n not in LAST_WORDS]


def test_every_number_of_the_server_is_answered_as_with_stock(both: Both) -> None:
    numbers = share(NUMBERS, 0.1)
    pair = both("numbers", timeout=200, env={"NUMBERS": json.dumps([int(n) for n in numbers])})
    assert len(pair.ours) == len(numbers)
    assert differences(pair) == {}
