"""Whatever number the server answers with, the work goes on as with stock Django."""

from __future__ import annotations

import json

import pytest
from tests.stock.conftest import Both, differences, share

from django_lifeline.core.classification import LAST_WORDS

pytestmark = [pytest.mark.timeout(240), pytest.mark.drawn]

NUMBERS = [str(n) for n in (*range(1, 2000), *range(3000, 4300))]


def test_every_number_of_the_server_is_answered_as_with_stock(both: Both) -> None:
    # With the last words of a session always: here it lives on, and has only been made to say so.
    numbers = sorted({*share(NUMBERS, 0.1), *map(str, LAST_WORDS)})
    pair = both("numbers", timeout=200, env={"NUMBERS": json.dumps([int(n) for n in numbers])})
    assert len(pair.ours) == len(numbers)
    assert differences(pair) == {}
