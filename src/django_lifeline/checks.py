"""System checks of the app: the doctor's rules, for this package's engine and for the stock one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage
from django.db import connections

from django_lifeline.backends.borrowing import Borrowing
from django_lifeline.diagnosis.doctor.messages import server_messages, settings_messages


def check_databases(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Return what the settings of all MySQL databases tell; none is connected to."""
    return [
        message
        for wrapper in connections.all()
        if wrapper.vendor == "mysql"
        for message in settings_messages(wrapper)
    ]


def check_servers(
    app_configs: Any = None, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Return what the servers behind stock engines tell; our engine is asked by Django itself."""
    wrappers = [connections[alias] for alias in databases or ()]
    return [
        message
        for wrapper in wrappers
        if wrapper.vendor == "mysql" and not isinstance(wrapper, Borrowing)
        for message in server_messages(wrapper)
    ]
