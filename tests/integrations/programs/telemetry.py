"""Metrics and spans as a real OpenTelemetry SDK gets them."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from typing import Any

from django.db import Error, connection, transaction
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.fixtures.program_setup import SETUP
from tests.server.programs.toolbox import kill

from django_lifeline.integrations.opentelemetry import instrument, uninstrument
from django_lifeline.integrations.work import named_work

SECRET = "the-value-of-a-parameter"
reader = InMemoryMetricReader()
exporter = InMemorySpanExporter()
tracer_provider = TracerProvider()
tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
meter_provider = MeterProvider(metric_readers=[reader])


class Words(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        self.words.append(record.getMessage())


def run(sql: str, params: Any = None, *, many: bool = False) -> None:
    """Run a statement, whatever becomes of it."""
    with contextlib.suppress(Error), connection.cursor() as cursor:
        (cursor.executemany if many else cursor.execute)(sql, params)


def session() -> int:
    """The id of the session."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        return int(cursor.fetchone()[0])


def spans() -> list[dict[str, Any]]:
    """The spans since the last call."""
    found = [
        {
            "name": span.name,
            "kind": span.kind.name,
            "status": span.status.status_code.name,
            "attributes": dict(span.attributes or {}),
            "events": [event.name for event in span.events],
            "text": span.to_json(),
        }
        for span in exporter.get_finished_spans()
    ]
    exporter.clear()
    return found


def metrics() -> dict[str, list[list[Any]]]:
    """Each metric's points: attributes, and the value or the count."""
    data = reader.get_metrics_data()
    return {
        metric.name: [
            [dict(point.attributes), getattr(point, "value", getattr(point, "count", None))]
            for point in metric.data.data_points
        ]
        for resource in (data.resource_metrics if data else [])
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def lose_in_transaction() -> None:
    """A loss that reaches the caller."""
    with contextlib.suppress(Error), transaction.atomic():
        run("INSERT INTO `thing` (`name`) VALUES (%s)", ["gone"])
        kill(session())
        run("SELECT 1 FROM `thing`")


def wait_for_another() -> None:
    """Hold the pool's only connection until another thread waits for it."""

    def borrow() -> None:
        run("SELECT 1")
        connection.close()

    borrower = threading.Thread(target=borrow, name="market-page-7")
    with transaction.atomic():
        run("SELECT 1")
        borrower.start()
        while not connection.pool.stats().waiting:
            pass
        waiting = metrics()["db.client.connection.pending_requests"]
    spans()
    borrower.join()
    report["waiting"] = waiting
    report["other_thread"] = [span["name"] for span in spans()]


report: dict[str, Any] = {}


def main() -> None:
    log = Words()
    logging.getLogger("opentelemetry").addHandler(log)
    connection.settings_dict["OPTIONS"] = {"pool": {"max_size": 1, "timeout": 5}}
    run("CREATE TABLE `thing` (`id` INT AUTO_INCREMENT PRIMARY KEY, `name` TEXT)")
    report["wrappers_before"] = len(connection.execute_wrappers)
    providers = {"meter_provider": meter_provider, "tracer_provider": tracer_provider}
    instrument(**providers)
    instrument(**providers)
    report["wrappers"] = len(connection.execute_wrappers)
    run("INSERT INTO `thing` (`name`) VALUES (%s)", [SECRET])
    run("INSERT INTO `thing` (`name`) VALUES (%s)", [["a"], [SECRET]], many=True)
    run(f"SELECT `name` FROM `thing` WHERE `name` = '{SECRET}'")
    run(f"INSERT INTO `thing` (`id`, `name`) VALUES (1, '{SECRET}')")
    report["spans"] = spans()
    with tracer_provider.get_tracer("test").start_as_current_span("request"):
        kill(session())
        run("SELECT 1")
    report["healed"] = spans()
    with named_work("morning mail"):
        lose_in_transaction()
    report["lost"] = spans()
    wait_for_another()
    report["metrics"] = metrics()
    uninstrument()
    spans()
    run("SELECT 1")
    report["after"] = [len(spans()), len(connection.execute_wrappers)]
    report["metrics_after"] = metrics().get("db.client.connection.count", [])
    instrument(**providers)
    run("SELECT 1")
    report["again"] = [len(spans()), metrics()["db.client.connection.count"]]
    report["log"] = log.words
    report["database"] = {name: SETUP["database"][name] for name in ("NAME", "HOST", "PORT")}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
