"""gunicorn's configuration file, as the documentation has it. Read before Django's settings are."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.multiprocess import mark_process_dead

from django_lifeline.integrations import opentelemetry, prometheus

assert not settings.configured
prometheus.install(interval=0.1)
exporter = InMemorySpanExporter()


def post_fork(server: Any, worker: Any) -> None:
    """Give the worker a provider of its own, as OpenTelemetry wants it."""
    assert not settings.configured
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    opentelemetry.instrument(tracer_provider=provider)


def child_exit(server: Any, worker: Any) -> None:
    """Let a dead worker's connections no longer count."""
    mark_process_dead(worker.pid)
