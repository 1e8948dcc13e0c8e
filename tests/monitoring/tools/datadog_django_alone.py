"""ddtrace's integration of Django where the driver's is not used: it wraps Django's cursors."""

from __future__ import annotations

import os

os.environ["DD_DJANGO_INSTRUMENT_DATABASES"] = "true"

import ddtrace  # noqa: E402
from tests.monitoring.tools.datadog import root, seen  # noqa: E402

__all__ = ["instrument", "root", "seen", "uninstrument"]

uninstrument = None


def instrument() -> None:
    ddtrace.patch(raise_errors=True, django=True)
