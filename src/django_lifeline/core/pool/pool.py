"""The pool: the ledger's decisions, carried out with a lock, waiting threads and I/O."""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Callable
from typing import Generic, cast

from django_lifeline.core.clock import Clock, SystemClock
from django_lifeline.core.events import (
    ConnectFailed,
    ConnectionClosed,
    ConnectionOpened,
    LeaseRecalled,
    LeaseWaited,
    Observer,
    PoolExhausted,
    Reason,
    ignore,
    tell,
)
from django_lifeline.core.options import PoolOptions
from django_lifeline.core.pool import refusals
from django_lifeline.core.pool.connection import Lifetimes
from django_lifeline.core.pool.lease import Lease
from django_lifeline.core.pool.ledger import Ledger, Orders
from django_lifeline.core.pool.owners import Owner, introduce
from django_lifeline.core.pool.slot import C, IllegalMove, Slot, State
from django_lifeline.core.pool.stats import Counters, PoolStats, name_error
from django_lifeline.core.pool.upkeep import Upkeep
from django_lifeline.core.pool.waiters import Waiter
from django_lifeline.exceptions import PoolQueueFull, PoolTimeout

JITTER = 0.1
"""How much earlier than its lifetime a connection may end, so that not all end at once."""

HEAD_PAUSE = 0.1
"""Seconds after which the first in the queue looks again for ended owners."""

QUEUE_PAUSE = 0.5
"""The same for those behind it, who may have become first without being told."""

WARM = 0.01
"""A connection that went from hand to hand within so many seconds is not probed again. The probe
lets go of the interpreter lock; in a crowd of waiting threads that halves the throughput."""

TIDY_PAUSE = 1.0
TIDY_LIMIT = 2
"""At most this many surplus connections are closed by one borrower who passes by."""

ABRUPT = (Reason.DEAD, Reason.LOST, Reason.INTERRUPTED, Reason.ABANDONED)
"""Ends without a word to the server: it would not be heard, or it might be misunderstood."""


class Pool(Generic[C]):
    """A bounded set of connections that threads and greenlets share.

    The lock: `Ledger` is changed under ``_lock``, and nothing that may block or call foreign code
    (connecting, closing, probing, observers) happens under it. Three things do without the lock,
    each by one atomic operation that only one thread can win: taking from and returning to the
    idle stack, ending a lease (``Lease.hold``), and claiming a resting connection
    (``Slot.claim``). Whoever returns a slot looks for waiters *after* it is on the stack, and
    whoever waits looks at the stack *after* joining the queue, so that one of the two sees the
    other. The lock is reentrant since a finalizer or a signal handler that uses the database may
    come back into the pool on the thread that holds it.

    An exception that breaks in anywhere (a killed greenlet, ``PyThreadState_SetAsyncExc``, a
    signal handler) leaves at worst a slot in no living hand; the next borrower who finds nothing
    idle takes it back.
    """

    tells_waits = False
    """Whether `LeaseWaited` is emitted; set on the class by whoever observes it."""

    def __init__(
        self,
        name: str,
        options: PoolOptions,
        connect: Callable[[], C],
        *,
        clock: Clock | None = None,
        emit: Observer = ignore,
        lifetimes: Callable[[C], Lifetimes] | None = None,
        ping: Callable[[C], bool] | None = None,
    ) -> None:
        self.name = name
        self.options = options
        self.ping = ping
        self.now = (clock or SystemClock()).monotonic
        self.generation = 0
        """Counted up when all open connections are to be replaced."""
        self._connect = connect
        self._emit = emit
        self._lifetimes = lifetimes or (lambda connection: Lifetimes.of(options))
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
            new_lease=functools.partial(Lease, self),
        )
        self._idle = self._ledger.idle
        self._returned = self._ledger.returned
        self.waiters = self._ledger.waiters
        self._tidy_at = 0.0
        self.upkeep: Upkeep[C] | None = None

    # -- borrowing -----------------------------------------------------------------------

    def lease(self, timeout: float | None = None, *, probe: bool = True) -> Lease[C]:
        """Lend a connection, waiting up to ``timeout`` seconds (None: the option's).

        Without ``probe`` it may be a dead one: for borrowers who look before they use it.
        Raises `PoolTimeout`, `PoolQueueFull`, `PoolDeadlock`, `PoolClosed`, or what connecting
        raised. The borrower connects itself, so connecting may take longer than ``timeout``.
        """
        try:
            owner = self._local.owner
        except AttributeError:
            owner = introduce(self._local)
        while not self.waiters:  # nobody overtakes the queue
            try:
                slot = self._idle.pop()
            except IndexError:
                found = self._ledger.find_returned()
                if found is None:
                    break
                slot = found
            try:
                lease = self._ledger.take(slot, owner)
            except IllegalMove:  # a scan took this thread for broken off right after the pop
                continue
            connection = lease.connection
            if (
                slot.generation == self.generation
                and self.now() < slot.lend_until
                and not connection.busy
                and not (probe and not connection.alive())
            ):
                return lease
            self._end(lease, self._unfit(slot) or Reason.DEAD)
        return self._lease_in_turn(owner, timeout)

    def give_back(self, lease: Lease[C]) -> None:
        """Return the connection. Does nothing for a lease that has ended already."""
        if not lease.stop_resting():
            return
        try:
            slot = lease.hold.pop()
        except IndexError:
            return
        now = self.now()
        generation = self.generation
        if slot.generation != generation:
            self._end(lease, Reason.CLOSED if self._closed else Reason.RETIRED)
            return
        if now >= slot.expires:
            self._end(lease, Reason.EXPIRED)
            return
        if lease.connection.busy:
            self._end(lease, Reason.INTERRUPTED)
            return
        slot.returned_at = now
        fresh_until, expires = now + slot.max_idle, slot.expires
        slot.lend_until = fresh_until if fresh_until < expires else expires
        slot.move(State.IDLE)
        if self.waiters:
            self._pass_on(slot)
            return
        self._idle.append(slot)
        if self.waiters:
            self.settle()
        if self.generation != generation:  # retired meanwhile, before the slot could be seen
            self._end_idle(Reason.RETIRED)
        elif now >= self._tidy_at:
            self._tidy(now)

    def leave(self, lease: Lease[C]) -> bool:
        """Give back a connection at rest, yet let its owner `resume` it if nobody took it by then.

        Cheaper than to return and lease anew, and the common case where one thread serves request
        after request. Whoever finds nothing idle takes such a connection before opening another.
        False: it does not rest, or it is due to end; give it back.
        """
        slot, generation = lease.slot, self.generation
        if (
            not lease.claim
            or not lease.hold
            or slot.generation != generation
            or slot.rested_at >= slot.expires
        ):
            return False
        slot.returned = True
        self._returned[slot] = None
        if self.waiters:
            self.settle()
        if self.generation != generation:  # retired meanwhile, before the slot could be seen
            self._end_idle(Reason.RETIRED)
        elif slot.rested_at >= self._tidy_at:
            self._tidy(slot.rested_at)
        return True

    def retire(self, lease: Lease[C]) -> None:
        """End a connection that is too old or was unused for too long, with a word to the server.

        Does nothing for a lease that has ended already.
        """
        try:
            slot = lease.hold.pop()
        except IndexError:
            return
        if slot.generation != self.generation:
            self._end(lease, Reason.RETIRED)
        else:
            self._end(lease, Reason.EXPIRED if self.now() >= slot.expires else Reason.IDLE)

    def discard(self, lease: Lease[C], reason: Reason) -> None:
        """End the connection without a word to the server and give its slot free.

        Does nothing for a lease that has ended already.
        """
        try:
            lease.hold.pop()
        except IndexError:
            return
        self._end(lease, reason, abrupt=True)

    # -- the whole pool ------------------------------------------------------------------

    def retire_generation(self, reason: Reason = Reason.RETIRED) -> None:
        """Replace all connections: end the idle ones now, the lent ones when they come back."""
        with self._lock:
            self.generation += 1
        self._end_idle(reason)

    def drain(self) -> None:
        """Close the idle connections now and the lent ones when they come back."""
        self.retire_generation(Reason.CLOSED)

    def close(self) -> None:
        """Do as `drain`, for good; whoever waits, and whoever asks from now on: `PoolClosed`."""
        caller = refusals.caller()
        with self._lock:
            self._closed_by = self._closed_by or caller
            self._closed = True
            upkeep, self.upkeep = self.upkeep, None
            waiters = list(self.waiters)
        if upkeep is not None:
            upkeep.stop()
        for waiter in waiters:
            waiter.ring()
        self.drain()

    def connections(self) -> list[C]:
        """All open connections of this process, lent ones too. Takes no lock."""
        found = [slot.connection for slot in list(self._ledger.slots)]
        return [connection for connection in found if connection is not None]

    def start_over_after_fork(self) -> None:
        """In a forked child: forget everything, without touching it or the old lock.

        Make the inherited `connections()` harmless first: here the pool lets go of them.
        Leases from before the fork have ended.
        """
        for slot in list(self._ledger.slots):
            lease = slot.lease()
            if lease is not None:
                lease.hold.clear()
            slot.claim.clear()
        self.random.seed()
        self._begin()

    def stats(self) -> PoolStats:
        """The pool at this moment. Takes no lock."""
        counters = self._counters
        slots = list(self._ledger.slots)
        states = [slot.state for slot in slots]
        connecting = states.count(State.CONNECTING)
        returned = len(self._ledger.at_rest())
        idle = states.count(State.IDLE) + returned
        return PoolStats(
            name=self.name,
            min_size=self.options.min_size,
            max_size=self.options.max_size,
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
        )

    def __repr__(self) -> str:
        return f"<Pool {self.stats()!r}>"

    # -- waiting in the queue ------------------------------------------------------------

    def _lease_in_turn(self, owner: Owner, timeout: float | None) -> Lease[C]:
        waiter: Waiter[C] = Waiter(owner)
        waiter.since = started = self.now()
        seconds = self.options.timeout if timeout is None else timeout
        try:
            while True:
                lease = self._await_turn(waiter, started, started + seconds)
                if lease.slot.state is State.CONNECTING:
                    self.open(lease)
                    break
                unfit = self._unfit_at_hand_over(lease.slot, waiter)
                if unfit is None:
                    break
                self._end(lease, unfit)
                with self._lock:
                    self._ledger.join(waiter, first=True)
        except BaseException:
            self._withdraw(waiter)
            raise
        if self.tells_waits:
            tell(self._emit, LeaseWaited(self.name, self.now() - started))
        return lease

    def _await_turn(self, waiter: Waiter[C], started: float, deadline: float) -> Lease[C]:
        scan = False
        while True:
            lease = self._take_turn(waiter, scan=scan)
            if lease is not None:
                return lease
            now = self.now()
            if now >= deadline:
                if scan:
                    raise self._timed_out(now - started)
                scan = True  # not without having looked for abandoned slots
                continue
            pause = HEAD_PAUSE if self._is_first(waiter) else QUEUE_PAUSE
            scan = not waiter.wait(min(pause, deadline - now))
            if waiter.lease is not None:  # nobody changes it any more
                return waiter.lease

    def _take_turn(self, waiter: Waiter[C], *, scan: bool) -> Lease[C] | None:
        """Take what there is for this waiter; None: it has to wait, or to wait on."""
        refusal: PoolTimeout | PoolQueueFull | None = None
        with self._lock:
            if self._closed:
                raise refusals.closed(self.name, self._closed_by)
            ledger, now = self._ledger, self.now()
            joins = waiter.ledger is not ledger
            if joins:
                ledger.join(waiter)
            orders = ledger.settle(now, scan=scan or ledger.scan_is_due(now))
            lease = ledger.claim_turn(waiter, self.generation, orders)
            self._counters.recalls += orders.recalled
            if lease is None:
                refusal = self._refusal(waiter, orders, joins=joins)
        self._carry_out(orders)
        if refusal is not None:
            tell(self._emit, PoolExhausted(self.name, len(self.waiters), self.options.max_size))
            raise refusal
        if lease is None and orders.end:  # what was just ended made room
            return self._take_turn(waiter, scan=False)
        return lease

    def _refusal(
        self, waiter: Waiter[C], orders: Orders[C], *, joins: bool
    ) -> PoolTimeout | PoolQueueFull | None:
        """Why this waiter should not wait, if so. Under the lock."""
        ledger = self._ledger
        if ledger.deadlocked(waiter):
            orders.end += ledger.abandoned(self.now())
            if ledger.deadlocked(waiter):
                holders = {slot.owner for slot in ledger.slots if slot.owner is not None}
                return refusals.deadlock(self.stats(), holders)
        limit = self.options.max_waiting
        if joins and limit and len(ledger.waiters) > limit:
            self._counters.queue_full += 1
            return refusals.queue_full(self.stats(), limit)
        return None

    def _timed_out(self, waited: float) -> PoolTimeout:
        with self._lock:
            self._counters.timeouts += 1
            fails = self._counters.connects_fail
        stats = self.stats()
        tell(self._emit, PoolExhausted(self.name, stats.waiting, stats.max_size))
        return refusals.timed_out(stats, waited, connects_fail=fails)

    def _is_first(self, waiter: Waiter[C]) -> bool:
        try:
            return self.waiters[0] is waiter
        except IndexError:
            return False

    def _withdraw(self, waiter: Waiter[C]) -> None:
        """Leave the queue; what was handed over at this very moment goes to the next."""
        with self._lock:
            self._counters.waited += self.now() - waiter.since
            lease = self._ledger.withdraw(waiter)
        if lease is not None and lease.slot.state is State.CONNECTING:
            self._forget(lease.slot)
        elif lease is not None:
            self.give_back(lease)
        self.settle()

    def settle(self) -> None:
        """Give the waiters what there is for them."""
        with self._lock:
            orders = self._ledger.settle(self.now())
            self._counters.recalls += orders.recalled
        self._carry_out(orders)

    def _pass_on(self, slot: Slot[C]) -> None:
        """Give a slot that has just come back to the first in the queue."""
        with self._lock:
            waiter = self._ledger.pass_on(slot)
        if waiter is not None:
            waiter.ring()

    def _carry_out(self, orders: Orders[C]) -> None:
        for waiter in orders.wake:
            waiter.ring()
        for ending in orders.end:
            self._end(ending.lease, ending.reason)
        if orders.recalled:
            for _ in range(orders.recalled):
                tell(self._emit, LeaseRecalled(self.name))

    # -- opening and ending --------------------------------------------------------------

    def reserve(self, owner: Owner) -> Lease[C] | None:
        """A slot to connect beyond what borrowers ask for, if the pool is below ``min_size``."""
        with self._lock:
            ledger = self._ledger
            if self._closed or len(ledger.slots) >= ledger.min_size or not ledger.may_open():
                return None
            return ledger.reserve(owner, self.generation)

    def open(self, lease: Lease[C]) -> None:
        """Connect the reserved slot; on an error the slot is free again."""
        slot, started = lease.slot, self.now()
        try:
            slot.connection = lease.connection = connection = self._connect()
            now = self.now()
            slot.opened(connection, now, self._jittered(self._lifetimes(connection)))
            with self._lock:
                self._ledger.opened(lease)
                self._counters.opened += 1
                self._counters.connects_fail = False
        except BaseException as error:
            lease.hold.clear()  # it is filled when the exception came after the last step
            self._connect_failed(slot, error)
            raise
        lease.fresh = True
        tell(self._emit, ConnectionOpened(self.name, now - started))
        self.settle()  # the next in the queue may connect now
        self._keep_up()
        if self._closed:
            self.give_back(lease)
            raise refusals.closed(self.name, self._closed_by)

    def _connect_failed(self, slot: Slot[C], error: BaseException) -> None:
        if slot.connection is not None:
            slot.connection.discard()
        with self._lock:
            self._counters.connect_errors += 1
            self._counters.connects_fail = True
            self._counters.last_connect_error = name_error(error)
        self._forget(slot)
        tell(self._emit, ConnectFailed(self.name, name_error(error)))

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
        self.settle()

    def _end_idle(self, reason: Reason) -> None:
        with self._lock:
            leases = self._ledger.take_idle(self.owner())
        for lease in leases:
            self._end(lease, reason)

    def _tidy(self, now: float) -> None:
        """Close a few connections that nobody has needed for a while."""
        with self._lock:
            leases = self._ledger.take_stale(now, self.owner(), TIDY_LIMIT)
            # Whoever ended inside a transaction holds its locks until its connection ends.
            abandoned = self._ledger.abandoned(now)
            self._tidy_at = now + TIDY_PAUSE
        for ending in abandoned:
            self._end(ending.lease, ending.reason)
        for lease in leases:
            self._end(lease, Reason.IDLE)

    # -- small things --------------------------------------------------------------------

    def owner(self) -> Owner:
        """The calling thread or greenlet."""
        try:
            return cast(Owner, self._local.owner)
        except AttributeError:
            return introduce(self._local)

    def _unfit(self, slot: Slot[C]) -> Reason | None:
        """Why this slot, just taken from the idle stack, must not be lent; None: it is fit."""
        if slot.generation != self.generation:
            return Reason.RETIRED
        now = self.now()
        if now >= slot.lend_until:
            return Reason.EXPIRED if now >= slot.expires else Reason.IDLE
        connection = cast(C, slot.connection)
        if connection.busy:
            return Reason.INTERRUPTED
        return None if connection.alive() else Reason.DEAD

    def _unfit_at_hand_over(self, slot: Slot[C], waiter: Waiter[C]) -> Reason | None:
        now = self.now()
        slot.waited += now - waiter.since
        waiter.since = now
        if now - slot.returned_at < WARM and slot.generation == self.generation:
            return None
        return self._unfit(slot)

    def _jittered(self, kept: Lifetimes) -> Lifetimes:
        factor = 1 - JITTER * self.random.random()
        return Lifetimes(kept.max_lifetime * factor, kept.max_idle * factor)

    def _keep_up(self) -> None:
        """Start the upkeep thread, where an option asks for one and none runs."""
        if not self.options.min_size and self.options.keepalive is None:
            return
        with self._lock:
            if self._closed or self.upkeep is not None:
                return
            self.upkeep = upkeep = Upkeep(self)
        try:
            upkeep.start()
        except RuntimeError:  # no more threads, or the interpreter is ending: go without
            self.upkeep = None

    def idle_slots(self) -> list[Slot[C]]:
        """The idle slots at this moment, the longest idle first."""
        return [*self._idle.copy(), *self._ledger.at_rest()]

    def take_out(self, slot: Slot[C]) -> Lease[C] | None:
        """Lease exactly this idle slot, for upkeep; None: it is not idle any more."""
        lease = self._ledger.take_out(slot, self.owner())
        if lease is not None:
            slot.lends -= 1
        return lease

    def put_under(self, lease: Lease[C]) -> None:
        """Return a slot that upkeep has pinged to the far end of the stack: it was not used."""
        slot = lease.hold.pop()
        slot.pinged_at = now = self.now()
        slot.lend_until = min(now + slot.max_idle, slot.expires)
        slot.move(State.IDLE)
        self._idle.appendleft(slot)
        if self.waiters:
            self.settle()
