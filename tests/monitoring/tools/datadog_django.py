"""ddtrace's integration of Django, which rewrites methods of its wrapper, beside the driver's."""

from __future__ import annotations

import os

os.environ["DD_DJANGO_INSTRUMENT_DATABASES"] = "true"

from tests.monitoring.tools import datadog  # noqa: E402
from tests.monitoring.tools.datadog import root, seen  # noqa: E402

__all__ = ["instrument", "root", "seen", "uninstrument"]

uninstrument = None


def instrument() -> None:
    import ddtrace

    ddtrace.patch(raise_errors=True, django=True)
    datadog.instrument()
