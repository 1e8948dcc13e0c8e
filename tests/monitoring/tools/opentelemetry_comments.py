"""OpenTelemetry's instrumentation of the driver, which adds the comments itself."""

from __future__ import annotations

from opentelemetry.instrumentation.django import DjangoInstrumentor
from tests.monitoring.tools.opentelemetry_driver import instrumentor
from tests.monitoring.tools.traces import provider


def instrument() -> None:
    DjangoInstrumentor().instrument(tracer_provider=provider)
    instrumentor().instrument(tracer_provider=provider, enable_commenter=True)
