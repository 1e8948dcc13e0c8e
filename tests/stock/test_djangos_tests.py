"""Django's test classes and tools do with the engine what they do with stock Django.

`TestCase`, `TransactionTestCase`, `LiveServerTestCase`, hooks that are captured, queries that are
counted, mocks on a wrapper, on its class and on Django's, settings that change while tests run.
"""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both

pytestmark = [pytest.mark.drawn, pytest.mark.timeout(180)]


def test_every_test_passes_with_both_engines(both: Both) -> None:
    said = both("djangos_tests", timeout=150)
    assert len(said.stock) >= 20
    for outcomes in (said.stock, said.ours):
        failed = {name: outcome for name, outcome in outcomes.items() if outcome != "ok"}
        assert not failed, "\n".join(f"{name}\n{outcome}" for name, outcome in failed.items())
    assert said.ours == said.stock
