"""Arms: what differs between them, and nothing else."""

from __future__ import annotations

from lifeline_lab.arms import ARMS, HEALTH, LIFELINE, PERSISTENT, STOCK, STOCK_ENGINE


def test_lifeline_differs_from_plain_stock_by_the_engine_alone() -> None:
    changed = {
        key for key, value in LIFELINE.database({}).items() if STOCK.database({}).get(key) != value
    }

    assert changed == {"ENGINE"}
    assert len(LIFELINE.database({})) == len(STOCK.database({}))


def test_stock_arms_use_djangos_own_engine() -> None:
    stock = [arm for arm in ARMS.values() if arm is not LIFELINE]

    assert {arm.database({})["ENGINE"] for arm in stock} == {STOCK_ENGINE}
    assert PERSISTENT.database({})["CONN_MAX_AGE"] is None
    assert HEALTH.database({})["CONN_HEALTH_CHECKS"] is True


def test_scenarios_settings_reach_every_arm_but_plain_stock() -> None:
    settings: dict[str, object] = {"CONN_MAX_AGE": 60}

    having = [arm.name for arm in ARMS.values() if arm.database(settings).get("CONN_MAX_AGE") == 60]

    assert having == ["stock-persistent", "stock-health", "lifeline"]
