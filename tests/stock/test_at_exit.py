"""Who uses the database as the interpreter ends has his connection to the very end."""

from __future__ import annotations

import pytest
from tests.stock.conftest import Both


@pytest.mark.parametrize("age", ["0", "None"])
@pytest.mark.parametrize(
    "before", ["used", "a block", "at the end of a piece of work", "closed", "never used"]
)
def test_finalizer_writes_as_with_stock(both: Both, before: str, age: str) -> None:
    pair = both("at_exit", env={"BEFORE": before, "AGE": age})
    assert pair.ours == pair.stock
