"""Django signals for what happens to connections.

They are sent in the thread in which it happens, while the caller waits: keep receivers short and
let them use no database. A receiver that raises is logged and otherwise ignored.
"""

from __future__ import annotations

from django.dispatch import Signal

from django_lifeline.backends.notices import FailoverFinished, Lost, Restored, observe
from django_lifeline.core.events import Event, PoolExhausted

connection_lost = Signal()
"""A loss that reached the caller. Sends ``alias`` and ``diagnosis``."""
connection_restored = Signal()
"""A loss that was healed without the caller's notice. Sends ``alias`` and ``diagnosis``."""
pool_exhausted = Signal()
"""A borrower got no connection. Sends ``pool`` (its name), ``waiting`` and ``max_size``."""
failover_finished = Signal()
"""Writes were refused, and now lead to a server that takes them. Sends ``alias``, ``old`` and
``new`` (what the servers call themselves) and ``seconds``."""


def _forward(event: Event) -> None:
    if isinstance(event, Lost):
        connection_lost.send_robust(Lost, alias=event.alias, diagnosis=event.diagnosis)
    elif isinstance(event, Restored):
        connection_restored.send_robust(Restored, alias=event.alias, diagnosis=event.diagnosis)
    elif isinstance(event, FailoverFinished):
        failover_finished.send_robust(
            FailoverFinished,
            alias=event.alias,
            old=event.old,
            new=event.new,
            seconds=event.seconds,
        )
    elif isinstance(event, PoolExhausted):
        pool_exhausted.send_robust(
            PoolExhausted, pool=event.pool, waiting=event.waiting, max_size=event.max_size
        )


observe(_forward)
