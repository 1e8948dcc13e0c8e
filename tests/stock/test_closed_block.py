"""In a block whose connection was closed inside it, everything says what it says with stock."""

from __future__ import annotations

import json
import re

import pytest
from tests.stock.conftest import WHOLE, Both, differences

pytestmark = [pytest.mark.drawn, pytest.mark.timeout(300)]

NOTHING_TO_DO = "there is nothing that could be sent, and the closed connection is not asked"
OTHERWISE = {
    "_close": NOTHING_TO_DO,
    "_commit": NOTHING_TO_DO,
    "_rollback": NOTHING_TO_DO,
    "enable_constraint_checking": "it is Django that refuses, before the driver can",
}
"""What need not be as with stock, and why."""


def plainly(said: object) -> object:
    """Of a dead connection each driver says it in its own way."""
    text = re.sub(r"(?:Operational|Interface)Error \d+", "dead", json.dumps(said))
    return json.loads(text)


def test_whatever_is_asked_is_answered_as_by_stock(both: Both) -> None:
    said = both("closed_block", env={"WHOLE": "1" if WHOLE else ""}, timeout=300)
    assert {"close: get_autocommit", "close_old_connections: get_autocommit"} <= said.stock.keys()
    different = differences(said)
    worse = {
        name: each
        for name, each in different.items()
        if name.partition(": ")[2] not in OTHERWISE
        and not (" after " in name and plainly(each["ours"]) == plainly(each["stock"]))
    }
    assert not worse, "\n".join(f"{name}: {each}" for name, each in worse.items())
