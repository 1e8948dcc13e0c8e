"""The engine over a driver and a server of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.apps import apps
from django.conf import UserSettingsHolder, global_settings, settings
from django.db import connections
from tests.unit.backends import fake_server
from tests.unit.backends.fake_server import FakeServer

from django_lifeline.backends import assembly
from django_lifeline.backends.mysql.base import DatabaseWrapper

SETTINGS: dict[str, Any] = {
    "ENGINE": "django_lifeline.backends.mysql",
    "NAME": "shop",
    "USER": "shopkeeper",
    "PASSWORD": "",
    "HOST": "",
    "PORT": "",
    "OPTIONS": {},
    "AUTOCOMMIT": True,
    "ATOMIC_REQUESTS": False,
    "CONN_MAX_AGE": 0,
    "CONN_HEALTH_CHECKS": False,
    "TIME_ZONE": None,
    "TEST": {},
}


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def connect(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """``connect(**settings)``: a wrapper as Django makes one for each thread of an alias.

    ``kind`` is its class, ``alias`` its alias; the same settings and class mean the same pool.
    """
    monkeypatch.setitem(settings.__dict__, "_wrapped", UserSettingsHolder(global_settings))
    monkeypatch.setattr(apps, "ready", True)
    monkeypatch.setattr(assembly, "driver_for", lambda database: fake_server.driver(server))
    monkeypatch.setattr(assembly, "targets", targets := assembly.Targets())
    monkeypatch.setattr("django_lifeline.backends.lending.targets", targets)
    monkeypatch.setattr("django_lifeline.backends.losses.targets", targets)
    monkeypatch.setattr("django_lifeline.backends.wrapper.targets", targets)
    monkeypatch.setattr(assembly, "_known", {})
    monkeypatch.setattr(targets, "_hooked", True)

    def make(
        kind: type[DatabaseWrapper] = DatabaseWrapper, alias: str = "default", **changes: Any
    ) -> DatabaseWrapper:
        return kind({**deepcopy(SETTINGS), **changes}, alias)

    yield make
    for target in targets:
        for connection in target.pool.connections():
            connection.discard()


@pytest.fixture
def wrapper(connect: Callable[..., Any]) -> Any:
    return connect()


@pytest.fixture
def wrapper_in_django(wrapper: Any) -> Iterator[Any]:
    """The same, and what ``transaction.atomic()`` works on."""
    connections["default"] = wrapper
    yield wrapper
    del connections["default"]
