"""What idles in one alias's pool does not keep another alias of the process from connecting."""

from __future__ import annotations

from tests.stock.conftest import Both


def test_idle_connections_give_way_to_another_alias_of_a_limited_account(both: Both) -> None:
    pair = both("account_limit")
    assert pair.stock == {"kept": 4, "said": [2, 2, 2], "within": True}
    assert pair.ours == pair.stock
