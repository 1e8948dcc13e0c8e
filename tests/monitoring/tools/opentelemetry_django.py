"""OpenTelemetry's instrumentation of Django: a middleware, and one that comments on statements."""

from __future__ import annotations

from opentelemetry.instrumentation.django import DjangoInstrumentor
from tests.monitoring.tools.traces import provider


def instrument() -> None:
    DjangoInstrumentor().instrument(tracer_provider=provider, is_sql_commentor_enabled=True)
