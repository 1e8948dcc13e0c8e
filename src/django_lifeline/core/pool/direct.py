"""The pool of those who want none: every lease opens a connection, every return closes it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Generic

from django_lifeline.core.clock import Clock, SystemClock
from django_lifeline.core.events import (
    ConnectFailed,
    ConnectionClosed,
    ConnectionOpened,
    Observer,
    Reason,
    ignore,
    tell,
)
from django_lifeline.core.options import PoolOptions
from django_lifeline.core.pool import refusals
from django_lifeline.core.pool.connection import Lifetimes
from django_lifeline.core.pool.lease import Lease
from django_lifeline.core.pool.slot import C, Slot, State
from django_lifeline.core.pool.stats import Counters, PoolStats, name_error


class DirectPool(Generic[C]):
    """`Pool`'s interface without pooling: no limit, no queue, no recall.

    It knows its leases weakly, so that a connection goes when its borrower forgets it.
    """

    waiters = ()
    opens_extra = False

    def __init__(
        self,
        name: str,
        connect: Callable[[], C],
        *,
        clock: Clock | None = None,
        emit: Observer = ignore,
        lifetimes: Callable[[C], Lifetimes] | None = None,
    ) -> None:
        self.name = name
        self.now = (clock or SystemClock()).monotonic
        self.generation = 0
        self._connect = connect
        self._emit = emit
        self._lifetimes = lifetimes or (lambda connection: Lifetimes.of(PoolOptions()))
        self._closed_by = ""
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._counters = Counters()
        self._leases: weakref.WeakSet[Lease[C]] = weakref.WeakSet()
        self._asked_at = self.now()

    def lease(
        self,
        timeout: float | None = None,
        *,
        probe: bool = True,
        connect: Callable[[], C] | None = None,
    ) -> Lease[C]:
        """Open a connection; ``timeout`` has no effect.

        Raises what connecting raised, and `PoolClosed`.
        """
        if self._closed_by:
            raise refusals.closed(self.name, self._closed_by)
        slot: Slot[C] = Slot(self.generation)
        self._asked_at = started = self.now()
        try:
            slot.connection = connection = (connect or self._connect)()
            slot.opened(connection, self.now(), self._lifetimes(connection))
        except BaseException as error:
            if slot.connection is not None:
                slot.connection.discard()
            with self._lock:
                self._counters.connect_errors += 1
                self._counters.connects_fail = True
                self._counters.failed_at = self.now()
                self._counters.last_connect_error = name_error(error)
            tell(self._emit, ConnectFailed(self.name, name_error(error)))
            raise
        slot.move(State.LENT)
        lease = Lease(self, slot, connection)
        lease.fresh = True
        with self._lock:
            self._leases.add(lease)
            self._counters.opened += 1
            self._counters.connects_fail = False
        tell(self._emit, ConnectionOpened(self.name, self.now() - started))
        return lease

    def leave(self, lease: Lease[C], *, own: bool = False) -> bool:
        """Return False: nothing is kept here for later."""
        return False

    def give_back(self, lease: Lease[C]) -> None:
        """Close the connection. Does nothing for a lease that has ended already."""
        self._end(lease, Reason.CLOSED, abrupt=False)

    def discard(self, lease: Lease[C], reason: Reason) -> None:
        """End the connection without a word. Does nothing for a lease that has ended already."""
        self._end(lease, reason, abrupt=True)

    def retire(self, lease: Lease[C]) -> None:
        """End a connection that is too old. Does nothing for a lease that has ended already."""
        self._end(lease, Reason.EXPIRED, abrupt=False)

    def _end(self, lease: Lease[C], reason: Reason, *, abrupt: bool) -> None:
        try:
            slot = lease.hold.pop()
        except IndexError:
            return
        slot.move(State.CLOSING)
        connection = lease.connection
        abrupt = abrupt or connection.busy or not connection.alive()
        try:
            if abrupt:
                connection.discard()
            else:
                connection.close()
        finally:
            slot.move(State.GONE)
            with self._lock:
                self._leases.discard(lease)
                self._counters.discarded += abrupt
                self._counters.closed += not abrupt
        tell(self._emit, ConnectionClosed(self.name, reason))

    def retire_generation(self, reason: Reason = Reason.RETIRED) -> None:
        """Make all leases `due`."""
        with self._lock:
            self.generation += 1

    def hurry_retired(self) -> None:
        """Have connections of retired generations replaced as soon as they come to rest."""
        for lease in list(self._leases):
            if lease.slot.generation != self.generation:
                lease.slot.expires = float("-inf")

    def end_unheard(self, seconds: float) -> None:
        """Nothing: none is unused."""

    def open_none_in_advance(self) -> None:
        """Nothing: it never does."""

    def say_goodbye(self) -> None:
        """Nothing: none is unused."""

    def drain(self) -> None:
        """Make all leases `due`."""
        self.retire_generation(Reason.CLOSED)

    def close(self) -> None:
        """Lend no more: whoever asks from now on gets `PoolClosed`."""
        self._closed_by = self._closed_by or refusals.caller()
        self.drain()

    def look_after(self, long: float) -> bool:
        """Return whether there is no connection, and nobody asked for ``long`` seconds."""
        now = self.now()
        if self._leases:
            self._asked_at = now
        return now - self._asked_at >= long

    def settle(self) -> None:
        """Nothing: nobody waits here."""

    def connections(self) -> list[C]:
        """All open connections of this process. Takes no lock."""
        return [lease.connection for lease in list(self._leases)]

    def start_over_after_fork(self) -> None:
        """In a forked child: forget everything without touching it; old leases have ended."""
        for lease in list(self._leases):
            lease.hold.clear()
        self._begin()

    def stats(self) -> PoolStats:
        """The pool at this moment. Takes no lock."""
        counters = self._counters
        slots = [lease.slot for lease in list(self._leases)]
        states = [slot.state for slot in slots]
        answered = max((slot.last_answer for slot in slots), default=float("-inf"))
        return PoolStats(
            name=self.name,
            min_size=0,
            max_size=0,
            size=len(states),
            idle=0,
            used=len(states),
            resting=states.count(State.RESTING),
            waiting=0,
            connecting=0,
            lends=counters.opened,
            opened=counters.opened,
            closed=counters.closed,
            discarded=counters.discarded,
            connect_errors=counters.connect_errors,
            recalls=0,
            timeouts=0,
            queue_full=0,
            wait_ms_total=0.0,
            last_connect_error=counters.last_connect_error,
            away=counters.away(self.now(), answered),
        )

    def __repr__(self) -> str:
        return f"<DirectPool {self.stats()!r}>"
