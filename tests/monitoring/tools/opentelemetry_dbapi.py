"""OpenTelemetry's general instrumentation of DB-API modules, put round any driver by hand."""

from __future__ import annotations

from opentelemetry.instrumentation import dbapi
from tests.monitoring.tools import DRIVER
from tests.monitoring.tools.traces import provider, root, seen

__all__ = ["instrument", "root", "seen", "uninstrument"]

_ATTRIBUTES = {"database": "db", "port": "port", "host": "host", "user": "user"}


def instrument() -> None:
    import MySQLdb

    dbapi.trace_integration(
        MySQLdb, "connect", "mysql", _ATTRIBUTES, tracer_provider=provider, capture_parameters=True
    )
    assert DRIVER in ("mysqlclient", MySQLdb.__name__)


def uninstrument() -> None:
    import MySQLdb

    dbapi.unwrap_connect(MySQLdb, "connect")
