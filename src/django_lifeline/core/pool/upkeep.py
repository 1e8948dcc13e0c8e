"""The background work of a pool with ``min_size`` or ``keepalive``; others have no thread."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING, Generic

from django_lifeline.core.events import Reason
from django_lifeline.core.pool.slot import C

if TYPE_CHECKING:
    from django_lifeline.core.pool.pool import Pool

logger = logging.getLogger(__name__)

ROUND = 30.0
"""Seconds between two rounds, or ``keepalive`` where that is less."""


class Upkeep(Generic[C]):
    """A daemon thread that goes its rounds until the pool is closed or forgotten."""

    def __init__(self, pool: Pool[C]) -> None:
        self._pool = weakref.ref(pool)
        self._stopped = threading.Event()
        self._pause = min(ROUND, pool.options.keepalive or ROUND)
        self.thread = threading.Thread(target=self._run, name="lifeline-upkeep", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    def stop(self) -> None:
        """Ask the thread to end; does not wait for it."""
        self._stopped.set()

    def _run(self) -> None:
        while True:
            pool = self._pool()
            if pool is None or pool.upkeep is not self:  # a forked child has begun anew
                return
            try:
                go_round(pool)
            except Exception:
                logger.warning("Upkeep of pool %r failed; it goes on.", pool.name, exc_info=True)
            del pool
            if self._stopped.wait(self._pause):
                return


def go_round(pool: Pool[C]) -> None:
    """Replace what is worn out, ping what has been silent, fill up to ``min_size``."""
    _end_worn_out(pool)
    if pool.options.keepalive is not None:
        _ping_silent(pool, pool.options.keepalive)
    _fill(pool)


def _end_worn_out(pool: Pool[C]) -> None:
    now, generation = pool.now(), pool.generation
    for slot in pool.idle_slots():
        if slot.generation == generation and now < slot.lend_until:
            continue
        lease = pool.take_out(slot)
        if lease is not None:
            pool.retire(lease)


def _ping_silent(pool: Pool[C], keepalive: float) -> None:
    silent_since = pool.now() - keepalive
    for slot in pool.idle_slots():
        if max(slot.returned_at, slot.rested_at, slot.pinged_at) > silent_since:
            continue
        lease = pool.take_out(slot)
        if lease is None:
            continue
        try:
            answered = pool.ping is None or pool.ping(lease.connection)
        except BaseException:
            pool.discard(lease, Reason.INTERRUPTED)
            raise
        if answered:
            pool.put_under(lease)
        else:
            pool.discard(lease, Reason.DEAD)


def _fill(pool: Pool[C]) -> None:
    while (lease := pool.reserve(pool.owner())) is not None:
        pool.open(lease)
        pool.give_back(lease)
