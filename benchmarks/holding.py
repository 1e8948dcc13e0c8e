"""Connections and greenlets that are held, for a worker whose memory is measured."""

from __future__ import annotations

from typing import Any

from django.db import connection

from benchmarks.worker import resident

_held: list[Any] = []


def wrappers(count: int) -> dict[str, float]:
    """Hold ``count`` wrappers, each with its connection, as idle threads would."""
    _first_use()
    before = resident()
    for _ in range(count):
        wrapper = connection.copy()
        _query(wrapper)
        _held.append(wrapper)
    return _kilobytes(before, count)


def pooled(count: int) -> dict[str, float]:
    """Leave ``count`` connections idle in the pool, and no wrapper."""
    _first_use()
    pool = connection.pool
    before = resident()
    leases = [pool.lease() for _ in range(count)]
    while leases:
        pool.give_back(leases.pop())
    return _kilobytes(before, count)


def greenlets(count: int) -> dict[str, float]:
    """Keep ``count`` greenlets alive, each of which has run one query."""
    import gevent
    from gevent.event import Event

    _first_use()
    over, ran = Event(), []

    def live() -> None:
        _query(connection)
        ran.append(True)
        over.wait()

    before = resident()
    _held.extend(gevent.spawn(live) for _ in range(count))
    while len(ran) < count and not any(greenlet.ready() for greenlet in _held):
        gevent.sleep(0.01)
    if len(ran) < count:
        raise RuntimeError("A greenlet failed; its error is above.")
    return _kilobytes(before, count)


def _first_use() -> None:
    """Load everything that the first connection loads."""
    _query(connection)


def _query(wrapper: Any) -> None:
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


def _kilobytes(before: int, count: int) -> dict[str, float]:
    return {"count": count, "kilobytes": round((resident() - before) / 1024 / count, 2)}
