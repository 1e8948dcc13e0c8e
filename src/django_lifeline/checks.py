"""The system checks that run without a database: see `backends.validation` for what they say."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage
from django.db import connections

from django_lifeline.backends.borrowing import Borrowing
from django_lifeline.backends.validation import settings_messages


def check_databases(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Return what the settings of all databases with this engine tell; none is connected to."""
    return [
        message
        for wrapper in connections.all()
        if isinstance(wrapper, Borrowing)
        for message in settings_messages(wrapper)
    ]
