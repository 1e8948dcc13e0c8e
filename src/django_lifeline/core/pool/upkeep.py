"""The background work of the pools that ask for it: one thread for all of a process.

Without ``min_size``, ``keepalive`` and ``upkeep`` there is none.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from django_lifeline.core.clock import SystemClock
from django_lifeline.core.events import Reason
from django_lifeline.core.options import PoolOptions
from django_lifeline.core.pool.lease import Lease
from django_lifeline.core.pool.owners import Owner
from django_lifeline.core.pool.slot import C, Slot

logger = logging.getLogger(__name__)

ROUND = 30.0
"""Seconds between two rounds of a pool, or its ``keepalive`` or ``max_idle`` if less."""

monotonic = SystemClock.monotonic


class Tended(Protocol[C]):
    """What is asked of a pool whose rounds are gone."""

    name: str
    options: PoolOptions
    generation: int
    upkeep: Upkeep | None
    ping: Callable[[C], bool] | None

    def now(self) -> float: ...
    def tidy(self) -> None: ...
    def owner(self) -> Owner: ...
    def idle_slots(self) -> list[Slot[C]]: ...
    def take_out(self, slot: Slot[C]) -> Lease[C] | None: ...
    def put_under(self, lease: Lease[C]) -> None: ...
    def retire(self, lease: Lease[C]) -> None: ...
    def discard(self, lease: Lease[C], reason: Reason) -> None: ...
    def reserve(self, owner: Owner) -> Lease[C] | None: ...
    def open(self, lease: Lease[C]) -> None: ...
    def give_back(self, lease: Lease[C]) -> None: ...
    def leave_upkeep(self) -> bool: ...


class Upkeep:
    """A daemon thread that goes the rounds of all pools it knows, until there is none.

    It knows them weakly. ``_lock`` guards ``_due``; nothing that may block happens under it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._due: dict[weakref.ref[Tended[Any]], float] = {}
        self._thread: threading.Thread | None = None

    def add(self, pool: Tended[Any]) -> None:
        """Go the rounds of this pool too; `RuntimeError` where no thread can be started."""
        with self._lock:
            known = weakref.ref(pool, self._forget)
            self._due.setdefault(known, monotonic())
            starts = self._thread is None
            if starts:
                self._thread = threading.Thread(
                    target=self._run, name="lifeline-upkeep", daemon=True
                )
            thread = self._thread
        if not starts:
            self._woken.set()
            return
        assert thread is not None
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the interpreter is ending
            with self._lock:
                self._due.clear()
                self._thread = None
            raise

    def remove(self, pool: Tended[Any]) -> None:
        """Go its rounds no more; does not wait for one under way."""
        self._forget(weakref.ref(pool))

    def _forget(self, known: weakref.ref[Tended[Any]]) -> None:
        # Perhaps from a finalizer on the thread that holds the lock: one atomic step, without it.
        self._due.pop(known, None)
        self._woken.set()

    def _run(self) -> None:
        try:
            while (pause := self._go_rounds()) is not None:
                self._woken.wait(pause)
        finally:
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _go_rounds(self) -> float | None:
        """Look after the pools whose turn it is; how long to pause then, None: for ever."""
        self._woken.clear()
        now = monotonic()
        for known, due in list(self._due.items()):
            if due <= now:
                self._look_after(known)
        with self._lock:
            first = min(list(self._due.values()), default=None)
            if first is None:
                self._thread = None  # whoever comes next starts another one
                return None
        return max(0.0, first - monotonic())

    def _look_after(self, known: weakref.ref[Tended[Any]]) -> None:
        pool = known()
        if pool is None or pool.upkeep is not self:
            self._due.pop(known, None)
            return
        try:
            go_round(pool)
        except Exception:
            logger.warning("Upkeep of pool %r failed; it goes on.", pool.name, exc_info=True)
        pause = min(ROUND, pool.options.keepalive or ROUND, pool.options.max_idle or ROUND)
        if not pool.leave_upkeep() and known in self._due:
            self._due[known] = monotonic() + pause


_current = (os.getpid(), Upkeep())


def current() -> Upkeep:
    """The one of this process. A forked child has a new one, since threads are not inherited."""
    global _current
    pid, upkeep = _current
    if pid != os.getpid():
        upkeep = Upkeep()
        _current = os.getpid(), upkeep
    return upkeep


def go_round(pool: Tended[C]) -> None:
    """End what nobody needs, replace what is worn out, ping what is silent, fill up."""
    pool.tidy()
    _end_worn_out(pool)
    if pool.options.keepalive is not None:
        _ping_silent(pool, pool.options.keepalive)
    _fill(pool)


def _end_worn_out(pool: Tended[C]) -> None:
    now, generation = pool.now(), pool.generation
    for slot in pool.idle_slots():
        if slot.generation == generation and now < slot.lend_until:
            continue
        lease = pool.take_out(slot)
        if lease is not None:
            pool.retire(lease)


def _ping_silent(pool: Tended[C], keepalive: float) -> None:
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


def _fill(pool: Tended[C]) -> None:
    while (lease := pool.reserve(pool.owner())) is not None:
        pool.open(lease)
        pool.give_back(lease)
