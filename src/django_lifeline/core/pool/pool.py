"""The pool: the ledger's decisions, carried out with a lock, waiting threads and I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from django_lifeline.core.clock import Clock
from django_lifeline.core.events import (
    ConnectionClosed,
    LeaseRecalled,
    Observer,
    Reason,
    ignore,
    tell,
)
from django_lifeline.core.options import PoolOptions
from django_lifeline.core.pool import refusals
from django_lifeline.core.pool import upkeep as upkeeping
from django_lifeline.core.pool.budget import Budget
from django_lifeline.core.pool.connection import Lifetimes
from django_lifeline.core.pool.lease import Lease
from django_lifeline.core.pool.owners import Owner, introduce
from django_lifeline.core.pool.queueing import Queueing
from django_lifeline.core.pool.slot import C, IllegalMove, Slot, State
from django_lifeline.core.pool.upkeep import Upkeep
from django_lifeline.core.pool.waiters import Waiter

WARM = 0.01
"""A connection that went from hand to hand within so many seconds is not probed again. The probe
lets go of the interpreter lock; in a crowd of waiting threads that halves the throughput."""

TIDY_PAUSE = 1.0
TIDY_LIMIT = 2
"""At most this many surplus connections are closed by one borrower who passes by."""


class Pool(Queueing[C]):
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

    def __init__(  # noqa: PLR0913 - all that it is told, since it knows no driver
        self,
        name: str,
        options: PoolOptions,
        connect: Callable[[], C],
        *,
        clock: Clock | None = None,
        emit: Observer = ignore,
        lifetimes: Callable[[C], Lifetimes] | None = None,
        ping: Callable[[C], bool] | None = None,
        is_away: Callable[[Exception], bool] | None = None,
        full_for: Callable[[Exception], float | None] | None = None,
        budget: Budget[C] | None = None,
    ) -> None:
        self.ping = ping
        self.budget = budget
        """The limit that it shares with other pools; whoever connects keeps to it."""
        super().__init__(
            name,
            options,
            connect,
            clock=clock,
            emit=emit,
            lifetimes=lifetimes,
            is_away=is_away,
            full_for=full_for,
        )

    def _begin(self) -> None:
        super()._begin()
        if self.budget is not None:
            self._ledger.counted = self.budget, self
        self._tidy_at = 0.0
        self._asked_at = self.now()
        self.upkeep: Upkeep | None = None
        """Who goes the rounds of this pool, None where nobody does."""

    # -- borrowing -----------------------------------------------------------------------

    def lease(
        self,
        timeout: float | None = None,
        *,
        probe: bool = True,
        connect: Callable[[], C] | None = None,
    ) -> Lease[C]:
        """Lend a connection, waiting up to ``timeout`` seconds (None: the option's).

        Without ``probe`` it may be a dead one: for borrowers who look before they use it.
        ``connect`` is how this borrower opens one, where it comes to that; None: the pool's way.
        Raises `PoolTimeout`, `PoolQueueFull`, `PoolDeadlock`, `PoolClosed`, or what connecting
        raised. The borrower connects itself, so connecting may take longer than ``timeout``.
        """
        try:
            owner = self._local.owner
        except AttributeError:
            owner = introduce(self._local, self._hang_up_for)
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
        return self._lease_in_turn(owner, timeout, connect)

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
        if slot.generation != generation or now >= slot.expires or lease.connection.busy:
            self._end(lease, self._unfit_to_keep(slot, now))
            return
        slot.returned_at = now
        fresh_until, expires = now + slot.max_idle, slot.expires
        slot.lend_until = fresh_until if fresh_until < expires else expires
        slot.move(State.IDLE)
        if self.waiters:
            self._pass_on(slot)
            return
        if len(self._idle) >= self._ledger.max_size:  # more were open, and all are back
            self._end(lease, Reason.IDLE)
            return
        self._idle.append(slot)
        if self.budget is not None:
            self.budget.returned(slot, self)
        if self.waiters:
            self.settle()
        if self.generation != generation:  # retired meanwhile, before the slot could be seen
            self._end_idle(Reason.RETIRED)
        elif now >= self._tidy_at:
            self._tidy(now)

    def leave(self, lease: Lease[C], *, own: bool = False) -> bool:
        """Give back a connection at rest, yet let its owner `resume` it if nobody took it by then.

        Cheaper than to return and lease anew, and the common case where one thread serves request
        after request. Whoever finds nothing idle takes such a connection before opening another.
        With ``own`` it is to stay his as long as nobody does: where the pool has no limit, beyond
        ``max_size`` too. False: it does not rest, or it is due to end; give it back.
        """
        slot, generation = lease.slot, self.generation
        own = own and not self.bounded
        if (
            not lease.claim
            or not lease.hold
            or len(self._returned) > self._ledger.max_size
            and not own
            or slot.generation != generation
            or slot.rested_at >= slot.expires
        ):
            return False
        slot.returned, slot.own = True, own
        self._returned[slot] = None
        if self.budget is not None:
            self.budget.returned(slot, self)
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

    def end_unheard(self, seconds: float) -> None:
        """End what is unused and has not answered for so long, with a word to the server.

        For whoever has waited that long for an answer in vain: a network that has forgotten one
        connection has forgotten the others. (SQLAlchemy's pool gives up all of them after a loss.)
        """
        with self._lock:
            leases = self._ledger.take_unheard(self.now() - seconds, self.owner())
        for lease in leases:
            self._end(lease, Reason.RETIRED)

    def drain(self) -> None:
        """Close the idle connections now and the lent ones when they come back."""
        self.retire_generation(Reason.CLOSED)

    def say_goodbye(self) -> None:
        """Close what nobody is going to use again, since the interpreter ends.

        Who is not done with his has it to the very end, as with stock: objects of modules are
        finalized last of all.
        """
        self._end_idle(Reason.CLOSED, unused=True)

    def close(self) -> None:
        """Do as `drain`, for good; whoever waits, and whoever asks from now on: `PoolClosed`."""
        caller = refusals.caller()
        with self._lock:
            self._closed_by = self._closed_by or caller
            self._closed = True
            upkeep, self.upkeep = self.upkeep, None
            waiters = list(self.waiters)
        if upkeep is not None:
            upkeep.remove(self)
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

    def __repr__(self) -> str:
        return f"<Pool {self.stats()!r}>"

    # -- keeping it up -------------------------------------------------------------------

    def open(self, lease: Lease[C], connect: Callable[[], C] | None = None) -> None:
        """Connect the reserved slot; on an error the slot is free again."""
        super().open(lease, connect)
        self._keep_up()
        if self._closed:
            self.give_back(lease)
            raise refusals.closed(self.name, self._closed_by)

    def _end_idle(self, reason: Reason, *, unused: bool = False) -> None:
        with self._lock:
            leases = self._ledger.take_idle(self.owner(), unused=unused)
        for lease in leases:
            self._end(lease, reason)

    def tidy(self) -> None:
        """Close all connections that nobody has needed for a while."""
        self._tidy(self.now(), len(self._ledger.slots))

    def _tidy(self, now: float, limit: int = TIDY_LIMIT) -> None:
        with self._lock:
            # Whoever ended inside a transaction holds its locks until its connection ends.
            abandoned = self._ledger.abandoned(now)
            leases = self._ledger.take_surplus(now, self.owner())
            leases += self._ledger.take_stale(now, self.owner(), limit)
            self._tidy_at = now + TIDY_PAUSE
        for ending in abandoned:
            self._end(ending.lease, ending.reason)
        for lease in leases:
            self._end(lease, Reason.IDLE)

    # -- small things --------------------------------------------------------------------

    def _unfit_to_keep(self, slot: Slot[C], now: float) -> Reason:
        """Why this slot, just given back, must not go on the idle stack."""
        if slot.generation != self.generation:
            return Reason.CLOSED if self._closed else Reason.RETIRED
        return Reason.EXPIRED if now >= slot.expires else Reason.INTERRUPTED

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

    def _keep_up(self) -> None:
        """Have rounds gone, where an option asks for them and nobody goes them yet."""
        options = self.options
        if not (options.upkeep or options.min_size or options.keepalive is not None):
            return
        with self._lock:
            if self._closed or self.upkeep is not None:
                return
            self.upkeep = upkeep = upkeeping.current()
        try:
            upkeep.add(self)
        except RuntimeError:  # no more threads, or the interpreter is ending: go without
            self.upkeep = None

    def open_none_in_advance(self) -> None:
        """Keep no ``min_size``: what connections are to be like is known to borrowers alone."""
        self.options = replace(self.options, min_size=0)
        self._ledger.min_size = 0

    def leave_upkeep(self) -> bool:
        """Want no more rounds if there is nothing to keep; the next connection begins them anew."""
        with self._lock:
            if self._ledger.slots or self.options.min_size or self.upkeep is None:
                return False
            self.upkeep.remove(self)
            self.upkeep = None
            return True

    def look_after(self, long: float) -> bool:
        """Do in passing what borrowers do for the pool they use: end what was idle too long.

        Returns whether the pool is empty, and nobody asked for ``long`` seconds.
        """
        now = self.now()
        if self._ledger.slots or self.waiters:
            self._asked_at = now
            if now >= self._tidy_at:
                self._tidy(now)
        return now - self._asked_at >= long

    def idle_slots(self) -> list[Slot[C]]:
        """The idle slots at this moment, the longest idle first."""
        return [*self._idle.copy(), *self._ledger.at_rest()]

    def take_out(self, slot: Slot[C]) -> Lease[C] | None:
        """Lease exactly this idle slot, for upkeep; None: it is not idle any more."""
        lease = self._ledger.take_out(slot, self.owner())
        if lease is not None:
            slot.lends -= 1
        return lease

    # -- what it shares with others --------------------------------------------------------

    def reserve(self, owner: Owner) -> Lease[C] | None:
        """As `Opening.reserve`; a spent budget is not for connections that nobody asks for."""
        if self.budget is not None and self.budget.spent:
            return None
        return super().reserve(owner)

    @property
    def bounded(self) -> bool:
        """Whether somebody set how many connections there may be at most."""
        return self.options.max_overflow is not None or self.budget is not None

    def keep_no_more_than(self, most: int) -> None:
        """Keep fewer than ``max_size`` for later where nobody has set it; one at least."""
        if not self.bounded:
            least = max(1, self.options.min_size)
            self._ledger.max_size = max(least, min(most, self.options.max_size))

    def needs_all(self) -> bool:
        """Whether it has no more connections than it is to keep."""
        return len(self._ledger.slots) <= self.options.min_size

    def recall(self, slot: Slot[C]) -> Lease[C] | None:
        """Lease a slot that rests, also where its owner is not done with it; None: he uses it."""
        with self._lock:
            lease = self._ledger.take_out(slot, self.owner(), recall=True)
            if lease is not None:
                self._counters.recalls += 1
        if lease is not None:
            tell(self._emit, LeaseRecalled(self.name))
        return lease

    def unfit(self, lease: Lease[C]) -> Reason | None:
        """Why a connection that was taken out must not be used any more; None: it is fit."""
        return self._unfit(lease.slot)

    def give_way(self, lease: Lease[C]) -> None:
        """End a connection since another pool needs one more than this."""
        lease.hold.clear()
        self._end(lease, Reason.GAVE_WAY)

    def part_with(self, lease: Lease[C]) -> None:
        """Forget a connection that goes on in another pool."""
        lease.hold.clear()
        slot = lease.slot
        slot.move(State.CLOSING)
        with self._lock:
            self._counters.closed += 1
        self._forget(slot)
        tell(self._emit, ConnectionClosed(self.name, Reason.MOVED))

    def put_under(self, lease: Lease[C]) -> None:
        """Return a slot that upkeep has pinged to the far end of the stack: it was not used."""
        slot = lease.hold.pop()
        slot.pinged_at = now = self.now()
        slot.lend_until = min(now + slot.max_idle, slot.expires)
        slot.move(State.IDLE)
        self._idle.appendleft(slot)
        if self.budget is not None:
            self.budget.returned(slot, self)
        if self.waiters:
            self.settle()
