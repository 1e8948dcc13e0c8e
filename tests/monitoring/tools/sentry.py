"""Sentry: replaces methods of Django's cursor and of Django's wrapper."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport
from tests.monitoring.tools import Record

# What differs from run to run, or tells where in the program it was.
_LEFT_OUT = ("thread.", "code.", "sentry.")
_sent: list[dict[str, Any]] = []


class _Kept(Transport):
    def capture_envelope(self, envelope: Envelope) -> None:
        _sent.extend(item.payload.json for item in envelope.items if item.payload.json)


def instrument() -> None:
    sentry_sdk.init(
        dsn="http://key@localhost/1",
        transport=_Kept,
        integrations=[DjangoIntegration(db_transaction_spans=True)],
        default_integrations=False,
        traces_sample_rate=1.0,
    )


def uninstrument() -> None:
    # Its methods stay where they are; without the integration they do nothing.
    sentry_sdk.init(transport=_Kept, default_integrations=False, traces_sample_rate=1.0)


def root(name: str) -> AbstractContextManager[Any]:
    return sentry_sdk.start_transaction(name=name, op="task")


def seen() -> list[Record]:
    sent, _sent[:] = list(_sent), []
    return [
        {
            "in": transaction["transaction"],
            "what": span["description"],
            "status": span.get("status"),
            **{
                name: value
                for name, value in span["data"].items()
                if not name.startswith(_LEFT_OUT)
            },
        }
        for transaction in sent
        for span in transaction.get("spans", ())
        if span["op"].startswith("db")
    ]
