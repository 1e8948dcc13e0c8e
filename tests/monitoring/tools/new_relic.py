"""New Relic's agent: wraps the driver's ``connect``; it cannot be switched off again.

In its developer mode it connects nowhere. What is compared are its metrics, which are counts.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

from tests.monitoring.tools import Record

os.environ.update(
    NEW_RELIC_APP_NAME="shop",
    NEW_RELIC_LICENSE_KEY="0" * 40,
    NEW_RELIC_DEVELOPER_MODE="true",
    NEW_RELIC_LOG_LEVEL="error",
)

import newrelic.agent  # noqa: E402
from newrelic.core.agent import agent_instance  # noqa: E402

uninstrument = None
_PREFIX = "OtherTransaction/"
_told: dict[tuple[str, str], int] = {}


def instrument() -> None:
    newrelic.agent.initialize()


def _application() -> Any:
    return newrelic.agent.register_application(timeout=10)


def root(name: str) -> AbstractContextManager[Any]:
    return newrelic.agent.BackgroundTask(_application(), name, group="Task")


def seen() -> list[Record]:
    table = agent_instance().application("shop")._stats_engine.stats_table
    counts = {
        key: stats.call_count
        for key, stats in table.items()
        if key[1].startswith(_PREFIX) and not key[0].startswith(_PREFIX)
    }
    news = {key: count - _told.get(key, 0) for key, count in counts.items()}
    _told.update(counts)
    return [
        {"in": scope.rsplit("/", 1)[1], "what": name, "times": times}
        for (name, scope), times in sorted(news.items())
        if times
    ]
