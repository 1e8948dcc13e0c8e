"""The part of a pool that opens and ends connections, outside the lock."""

from __future__ import annotations

import copy
import functools
import random
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from django_lifeline.core.clock import Clock, SystemClock
from django_lifeline.core.events import (
    ConnectFailed,
    ConnectionClosed,
    ConnectionOpened,
    LeaseRecalled,
    Observer,
    Reason,
    ignore,
    tell,
)
from django_lifeline.core.options import PoolOptions
from django_lifeline.core.pool.connection import Lifetimes
from django_lifeline.core.pool.lease import Lease
from django_lifeline.core.pool.ledger import Ledger, Orders
from django_lifeline.core.pool.outage import LIFE, NoRoom
from django_lifeline.core.pool.owners import Owner, introduce
from django_lifeline.core.pool.slot import C, Slot, State
from django_lifeline.core.pool.stats import Counters, PoolStats, name_error
from django_lifeline.core.pool.waiters import Waiter

E = TypeVar("E", bound=BaseException)

JITTER = 0.1
"""How much earlier than its lifetime a connection may end, so that not all end at once."""

ABRUPT = (Reason.DEAD, Reason.LOST, Reason.INTERRUPTED, Reason.ABANDONED)
"""Ends without a word to the server: it would not be heard, or it might be misunderstood."""


def _bare(error: E) -> E:
    """Return *error* as somebody else's, who raises it from another place."""
    return copy.copy(error).with_traceback(None)


def _hang_up(ledger: weakref.ref[Ledger[C]], owner: Owner) -> None:
    """Let the server free what an ended owner's sessions hold, at once and without waiting.

    Those that rest hold nothing, and end where there are too many of them: nobody else may come to
    look after them. The slots come back with the next look for abandoned ones.
    """
    known = ledger()
    if known is None:
        return
    for slot in list(known.slots):
        # In this order: one that rested may be lent at this moment, to another owner.
        if slot.state is State.LENT and slot.owner is owner and slot.connection is not None:
            slot.connection.hang_up()
    for slot in known.take_left_over():
        if slot.connection is not None:
            slot.connection.hang_up(at_rest=True)


class Opening(Generic[C]):
    """What a pool consists of, and how its connections begin and end.

    `Pool` tells what its lock guards.
    """

    def __init__(
        self,
        name: str,
        options: PoolOptions,
        connect: Callable[[], C],
        *,
        clock: Clock | None = None,
        emit: Observer = ignore,
        lifetimes: Callable[[C], Lifetimes] | None = None,
        is_away: Callable[[Exception], bool] | None = None,
        full_for: Callable[[Exception], float | None] | None = None,
    ) -> None:
        self.name = name
        self.options = options
        self.now = (clock or SystemClock()).monotonic
        self.generation = 0
        """Counted up when all open connections are to be replaced."""
        self._connect = connect
        self._emit = emit
        self._lifetimes = lifetimes or (lambda connection: Lifetimes.of(options))
        self._is_away = is_away or (lambda error: False)
        """Whether connecting failed for want of a server, which is the same for every borrower."""
        self._full_for = full_for or (lambda error: None)
        """For how many seconds room is waited for where it failed since the server takes no more
        connections; None: it failed for something else."""
        self.random = random.Random()
        """Where the jitter of the lifetimes comes from."""
        self._closed = False
        self._closed_by = ""
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._local = threading.local()
        self._counters = Counters()
        self._ledger: Ledger[C] = Ledger(
            min_size=self.options.min_size,
            max_size=self.options.max_size,
            max_overflow=self.options.max_overflow,
            new_lease=functools.partial(Lease, self),
        )
        self._idle = self._ledger.idle
        self._returned = self._ledger.returned
        self.waiters = self._ledger.waiters

    def stats(self) -> PoolStats:
        """The pool at this moment. Takes no lock."""
        counters = self._counters
        slots = [slot for slot in list(self._ledger.slots) if not slot.hung_up]
        states = [slot.state for slot in slots]
        connecting = states.count(State.CONNECTING)
        returned = len(self._ledger.at_rest())
        idle = states.count(State.IDLE) + returned
        now = self.now()
        answered = max((slot.last_answer for slot in slots), default=float("-inf"))
        return PoolStats(
            name=self.name,
            min_size=self.options.min_size,
            max_size=self.options.limit,
            size=len(slots) - connecting,
            idle=idle,
            used=len(slots) - connecting - idle,
            resting=states.count(State.RESTING) - returned,
            waiting=len(self.waiters),
            connecting=connecting,
            lends=counters.lends + sum(slot.lends for slot in slots),
            opened=counters.opened,
            closed=counters.closed,
            discarded=counters.discarded,
            connect_errors=counters.connect_errors,
            recalls=counters.recalls,
            timeouts=counters.timeouts,
            queue_full=counters.queue_full,
            wait_ms_total=1000 * (counters.waited + sum(slot.waited for slot in slots)),
            last_connect_error=counters.last_connect_error,
            max_overflow=self.options.max_overflow or 0,
            longest_wait=self._longest_wait(now),
            away=counters.away(now, answered),
        )

    def _longest_wait(self, now: float) -> float:
        try:
            return now - self.waiters[0].started
        except IndexError:
            return 0.0

    def hurry_retired(self) -> None:
        """Have lent connections of retired generations replaced as soon as they come to rest.

        Else it is when they are given back, which a program that runs for ever may never do.
        """
        for slot in list(self._ledger.slots):
            if slot.generation != self.generation:
                slot.expires = float("-inf")

    def owner(self) -> Owner:
        """The calling thread or greenlet."""
        try:
            return cast(Owner, self._local.owner)
        except AttributeError:
            return introduce(self._local, self._hang_up_for)

    @property
    def _hang_up_for(self) -> Callable[[Owner], None]:
        """What is to be done when an owner ends. The pool may be gone by then."""
        return functools.partial(_hang_up, weakref.ref(self._ledger))

    def reserve(self, owner: Owner) -> Lease[C] | None:
        """A slot to connect beyond what borrowers ask for, if the pool is below ``min_size``."""
        with self._lock:
            ledger = self._ledger
            if self._closed or len(ledger.slots) >= ledger.min_size or not ledger.may_open():
                return None
            return ledger.reserve(owner, self.generation)

    @property
    def opens_extra(self) -> bool:
        """Whether this thread or greenlet opens one beyond ``max_size``, if it opens one."""
        return getattr(self._local, "opens_extra", False)

    def open(self, lease: Lease[C], connect: Callable[[], C] | None = None) -> None:
        """Connect the reserved slot; on an error the slot is free again.

        ``connect`` is the borrower's own way to do it; None: the pool's.
        """
        slot, started = lease.slot, self.now()
        try:
            self._local.opens_extra = slot.extra
            slot.connection = lease.connection = connection = (connect or self._connect)()
            now = self.now()
            slot.opened(connection, now, self._jittered(self._lifetimes(connection)))
            with self._lock:
                self._ledger.opened(lease)
                self._counters.opened += 1
                self._counters.connects_fail = False
                self._ledger.outage.succeeded()
        except BaseException as error:
            lease.hold.clear()  # it is filled when the exception came after the last step
            self._connect_failed(slot, error, started)
            raise
        lease.fresh = True
        tell(self._emit, ConnectionOpened(self.name, now - started))
        if self.waiters:
            self.settle()  # the next in the queue may connect now

    def _connect_failed(self, slot: Slot[C], error: BaseException, started: float) -> None:
        if slot.connection is not None:
            slot.connection.discard()
        full = self._no_room_for(slot, error)
        away = isinstance(error, Exception) and self._is_away(error)
        refused: list[Waiter[C]] = []
        with self._lock:
            if full is not None:
                self._ledger.found_full(self.now(), full)
            elif away:
                refused = self._those_refused_with_it(error, started)
            self._counters.connect_errors += 1
            self._counters.connects_fail = True
            self._counters.failed_at = self.now()
            self._counters.last_connect_error = name_error(error)
        self._forget(slot)
        for waiter in refused:
            waiter.ring()
        tell(self._emit, ConnectFailed(self.name, name_error(error)))

    def _no_room_for(self, slot: Slot[C], error: BaseException) -> NoRoom | None:
        """What the server said if it takes no more, and it was to be one more than ``max_size``."""
        if not slot.extra or not isinstance(error, Exception):
            return None
        patience = self._full_for(error)
        return None if patience is None else NoRoom(_bare(error), patience)

    def _those_refused_with_it(self, error: BaseException, started: float) -> list[Waiter[C]]:
        """Let those who wait have the error too, where the server is away. Under the lock.

        Each would try in vain, one after the other, and learn after the last one's time.
        """
        ledger, now = self._ledger, self.now()
        if not ledger.outage.failed(started, now) or ledger.has_answered(now - LIFE):
            return []
        return ledger.refuse_waiters(_bare(error))

    def _jittered(self, kept: Lifetimes) -> Lifetimes:
        factor = 1 - JITTER * self.random.random()
        return Lifetimes(kept.max_lifetime * factor, kept.max_idle * factor)

    def _end(self, lease: Lease[C], reason: Reason, *, abrupt: bool = False) -> None:
        """End the connection in this lease's hand, then give its slot to the waiters."""
        lease.hold.clear()
        slot = lease.slot
        slot.move(State.CLOSING)
        connection = slot.connection
        try:
            if connection is None:
                return
            if abrupt or reason in ABRUPT or connection.busy or not connection.alive():
                abrupt = True
                connection.discard()
            else:
                connection.close()
        finally:
            with self._lock:
                if connection is not None:
                    self._counters.discarded += abrupt
                    self._counters.closed += not abrupt
            self._forget(slot)
        used_at = max(slot.rested_at, slot.returned_at, slot.pinged_at)
        tell(self._emit, ConnectionClosed(self.name, reason, connection, used_at))

    def _forget(self, slot: Slot[C]) -> None:
        with self._lock:
            if self._ledger.remove(slot):
                self._counters.lends += slot.lends
                self._counters.waited += slot.waited
        if self.waiters:
            self.settle()

    def settle(self) -> None:
        """Give the waiters what there is for them."""
        with self._lock:
            orders = self._ledger.settle(self.now())
            self._counters.recalls += orders.recalled
        self._carry_out(orders)

    def _carry_out(self, orders: Orders[C]) -> None:
        for waiter in orders.wake:
            waiter.ring()
        for ending in orders.end:
            self._end(ending.lease, ending.reason)
        if orders.recalled:
            for _ in range(orders.recalled):
                tell(self._emit, LeaseRecalled(self.name))
