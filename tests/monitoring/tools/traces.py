"""OpenTelemetry's SDK with its spans kept in memory, for its three instrumentations."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.monitoring.tools import Record

_kept = InMemorySpanExporter()
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(SimpleSpanProcessor(_kept))


def root(name: str) -> AbstractContextManager[Any]:
    return provider.get_tracer(__name__).start_as_current_span(name)


def finished() -> list[Any]:
    """Return the spans that ended since the last call, in the order in which they began."""
    spans = sorted(_kept.get_finished_spans(), key=lambda span: span.start_time)
    _kept.clear()
    return spans


def seen() -> list[Record]:
    spans = finished()
    roots = {span.context.span_id: span.name for span in spans if span.parent is None}
    return [
        {
            "in": roots.get(span.parent.span_id, "") if span.parent else "",
            "what": span.attributes.get("db.statement", span.name),
            "name": span.name,
            "status": span.status.status_code.name,
            "errors": [event.attributes["exception.type"] for event in span.events],
            **span.attributes,
        }
        for span in spans
        if span.kind is trace.SpanKind.CLIENT
    ]
