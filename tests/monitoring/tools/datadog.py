"""ddtrace: wraps the driver's ``connect`` under each of its names, connections and cursors."""

from __future__ import annotations

import importlib
import os
from contextlib import AbstractContextManager
from typing import Any

from tests.monitoring.tools import DRIVER, Record

os.environ.update(
    DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
    DD_REMOTE_CONFIGURATION_ENABLED="false",
    DD_CRASHTRACKING_ENABLED="false",
    DD_TRACE_STARTUP_LOGS="false",
    DD_MYSQLDB_TRACE_CONNECT="true",
    DD_PYMYSQL_TRACE_CONNECT="true",
)

import ddtrace  # noqa: E402
from ddtrace.trace import TraceFilter, tracer  # noqa: E402

MODULE = "pymysql" if DRIVER == "pymysql" else "mysqldb"
_LEFT_OUT = ("_dd.", "_sampling", "process_id", "runtime-id", "language")
_kept: list[Any] = []


class _Keep(TraceFilter):
    def process_trace(self, trace: list[Any]) -> None:
        _kept.append(trace)


tracer.configure(trace_processors=[_Keep()])


def instrument() -> None:
    ddtrace.patch(raise_errors=True, **{MODULE: True})


def uninstrument() -> None:
    importlib.import_module(f"ddtrace.contrib.internal.{MODULE}.patch").unpatch()


def root(name: str) -> AbstractContextManager[Any]:
    return tracer.trace(name)


def seen() -> list[Record]:
    traces, _kept[:] = list(_kept), []
    return [
        {
            "in": "" if trace[0].get_tag("component") else trace[0].name,
            "what": span.resource,
            "name": span.name,
            "service": span.service,
            "error": span.error,
            **{
                name: value
                for name, value in (span.get_tags() | span.get_metrics()).items()
                if not name.startswith(_LEFT_OUT) and name not in ("error.stack",)
            },
        }
        for trace in traces
        for span in trace
        if span.get_tag("component")
    ]
