"""System checks of the app: the doctor's rules, for this package's engine and for the stock one.

The doctor is loaded where a check runs, and not in every process that begins.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage
from django.db import connections

from django_lifeline.backends.borrowing import Borrowing


def check_databases(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Return what the settings of all MySQL databases tell; none is connected to."""
    from django_lifeline.diagnosis.doctor.messages import settings_messages

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
    from django_lifeline.diagnosis.doctor.messages import server_messages

    wrappers = [connections[alias] for alias in databases or ()]
    return [
        message
        for wrapper in wrappers
        if wrapper.vendor == "mysql" and not isinstance(wrapper, Borrowing)
        for message in server_messages(wrapper)
    ]
