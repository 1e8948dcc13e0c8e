"""OpenTelemetry's instrumentations of mysqlclient and PyMySQL: wrap the driver's ``connect``."""

from __future__ import annotations

from typing import Any

from tests.monitoring.tools import DRIVER
from tests.monitoring.tools.traces import provider, root, seen

__all__ = ["instrument", "root", "seen", "uninstrument"]


def instrumentor() -> Any:
    if DRIVER == "pymysql":
        from opentelemetry.instrumentation.pymysql import PyMySQLInstrumentor

        return PyMySQLInstrumentor()
    from opentelemetry.instrumentation.mysqlclient import MySQLClientInstrumentor

    return MySQLClientInstrumentor()


def instrument() -> None:
    instrumentor().instrument(tracer_provider=provider)


def uninstrument() -> None:
    instrumentor().uninstrument()
