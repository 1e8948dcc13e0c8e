"""Elastic APM's agent: wraps the driver's ``connect``, and the cursors of what it returns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import elasticapm
from elasticapm.transport.base import Transport
from tests.monitoring.tools import Record

_kept: list[tuple[str, dict[str, Any]]] = []
_client: list[elasticapm.Client] = []


class Kept(Transport):
    def queue(self, event_type: str, data: dict[str, Any], flush: bool = False) -> None:
        _kept.append((event_type, data))

    def start_thread(self, pid: int | None = None) -> None:
        pass

    def close(self) -> None:
        pass


def instrument() -> None:
    if not _client:
        _client.append(
            elasticapm.Client(
                service_name="shop",
                transport_class=f"{__name__}.Kept",
                metrics_interval="0ms",
                central_config=False,
                cloud_provider="none",
                span_compression_enabled=False,
                exit_span_min_duration="0ms",
                span_stack_trace_min_duration="-1ms",
                server_url="http://localhost:1",
            )
        )
    elasticapm.instrument()


def uninstrument() -> None:
    elasticapm.uninstrument()


@contextmanager
def root(name: str) -> Iterator[None]:
    [client] = _client
    client.begin_transaction("task")
    try:
        yield
    finally:
        client.end_transaction(name)


def seen() -> list[Record]:
    kept, _kept[:] = list(_kept), []
    names = {data["id"]: data["name"] for kind, data in kept if kind == "transaction"}
    return [
        {
            "in": names[span["transaction_id"]],
            "what": span["context"]["db"]["statement"],
            "name": span["name"],
            "outcome": span["outcome"],
            **{name: span[name] for name in ("type", "subtype", "action")},
            **span["context"]["db"],
            "destination": span["context"].get("destination"),
        }
        for kind, span in kept
        if kind == "span" and "db" in span["context"]
    ]
