"""``--dsn`` with real servers."""

from __future__ import annotations

import importlib

import pytest
from tests.fixtures.servers import DRIVERS

from django_lifeline.diagnosis.explain import server as asking
from django_lifeline.diagnosis.usage import UsageError
from lifeline_lab.servers import Server


@pytest.fixture(autouse=True)
def _one_driver(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(DRIVERS[driver])
    monkeypatch.setattr(asking, "_driver", lambda: module)


def test_the_servers_own_values_are_read(server: Server) -> None:
    dsn = f"mysql://{server.user}:{server.password}@{server.host}:{server.port}/"
    live = asking.ask(dsn)
    assert live.variables["wait_timeout"] == 28800
    assert live.variables["max_allowed_packet"] > 0
    assert {"Uptime", "Aborted_clients"} <= set(live.variables)
    assert live.started is not None


def test_a_wrong_password_is_told_without_it(server: Server) -> None:
    dsn = f"mysql://{server.user}:not-it@{server.host}:{server.port}/"
    with pytest.raises(UsageError, match=r"\(error 1045\)") as caught:
        asking.ask(dsn)
    assert "not-it" not in str(caught.value)
