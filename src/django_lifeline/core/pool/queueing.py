"""The part of a pool where borrowers wait their turn."""

from __future__ import annotations

import copy
import gc
from abc import ABC, abstractmethod
from collections.abc import Callable

from django_lifeline.core.events import LeaseWaited, PoolExhausted, Reason, tell
from django_lifeline.core.pool import refusals
from django_lifeline.core.pool.lease import Lease
from django_lifeline.core.pool.ledger import Orders
from django_lifeline.core.pool.opening import Opening
from django_lifeline.core.pool.owners import Owner
from django_lifeline.core.pool.slot import C, Slot, State
from django_lifeline.core.pool.waiters import Waiter

HEAD_PAUSE = 0.1
"""Seconds after which the first in the queue looks again for ended owners."""

QUEUE_PAUSE = 0.5
"""The same for those behind it, who may have become first without being told."""


class Queueing(Opening[C], ABC):
    """First come, first served; whoever is handed a connection looks at it before using it.

    `Pool` tells what its lock guards.
    """

    tells_waits = False
    """Whether `LeaseWaited` is emitted; set on the class by whoever observes it."""

    @abstractmethod
    def give_back(self, lease: Lease[C]) -> None:
        """Return the connection."""

    @abstractmethod
    def _unfit_at_hand_over(self, slot: Slot[C], waiter: Waiter[C]) -> Reason | None:
        """Why a slot that was handed over must not be lent; None: it is fit."""

    def _lease_in_turn(
        self, owner: Owner, timeout: float | None, connect: Callable[[], C] | None
    ) -> Lease[C]:
        started = self.now()
        lease = self._lease_first(owner, started, connect) or self._lease_from_queue(
            owner, started, timeout, connect
        )
        if self.tells_waits:
            tell(self._emit, LeaseWaited(self.name, self.now() - started))
        return lease

    def _lease_first(
        self, owner: Owner, now: float, connect: Callable[[], C] | None
    ) -> Lease[C] | None:
        """Open the pool's only connection, as for each request to another of many databases."""
        with self._lock:
            if self._closed:
                raise refusals.closed(self.name, self._closed_by)
            lease = self._ledger.reserve_first(owner, self.generation, now)
        if lease is not None:
            self.open(lease, connect)
        return lease

    def _lease_from_queue(
        self,
        owner: Owner,
        started: float,
        timeout: float | None,
        connect: Callable[[], C] | None,
    ) -> Lease[C]:
        waiter: Waiter[C] = Waiter(owner)
        if self._ledger.lends_to(owner):
            # Each notes it for itself: another thread's frames are not safe to look at.
            waiter.place = refusals.place()
        waiter.started = waiter.since = started
        seconds = self.options.timeout if timeout is None else timeout
        try:
            while True:
                lease = self._await_turn(waiter, started, started + seconds)
                if lease.slot.state is State.CONNECTING:
                    if self._opens(lease, connect):
                        break
                else:
                    unfit = self._unfit_at_hand_over(lease.slot, waiter)
                    if unfit is None:
                        break
                    self._end(lease, unfit)
                with self._lock:
                    self._ledger.join(waiter, first=True)
        except BaseException:
            self._withdraw(waiter)
            raise
        return lease

    def _opens(self, lease: Lease[C], connect: Callable[[], C] | None) -> bool:
        """Connect; False: to one more than ``max_size`` the server says that it is full.

        There are others to wait for.
        """
        try:
            self.open(lease, connect)
        except Exception as error:
            if self._no_room_for(lease.slot, error) is None:
                raise
            return False
        return True

    def _await_turn(self, waiter: Waiter[C], started: float, deadline: float) -> Lease[C]:
        scan = collected = False
        while True:
            lease = self._take_turn(waiter, scan=scan)
            if lease is not None:
                return lease
            if scan and not collected and self._ledger.may_be_in_garbage():
                # What Django's wrapper refers to refers back, so it goes with the next collection.
                gc.collect()
                collected = True
                continue
            now = self.now()
            if now >= deadline or self._ledger.stays_full(started, now) is not None:
                if scan:
                    raise self._timed_out(now - started)
                scan = True  # not without having looked for abandoned slots
                continue
            pause = QUEUE_PAUSE
            if self._is_first(waiter):
                until_an_attempt = self._ledger.outage.opens_from - now
                pause = min(HEAD_PAUSE, until_an_attempt) if until_an_attempt > 0 else HEAD_PAUSE
            scan = not waiter.wait(min(pause, deadline - now))
            if waiter.lease is not None:  # nobody changes it any more
                return waiter.lease

    def _take_turn(self, waiter: Waiter[C], *, scan: bool) -> Lease[C] | None:
        """Take what there is for this waiter; None: it has to wait, or to wait on."""
        refusal: Exception | None = None
        with self._lock:
            if self._closed:
                raise refusals.closed(self.name, self._closed_by)
            if waiter.refusal is not None:
                # Each borrower has an object of his own, with his own traceback.
                raise copy.copy(waiter.refusal)
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
            tell(self._emit, PoolExhausted(self.name, len(self.waiters), self.options.limit))
            raise refusal
        if lease is None and orders.end:  # what was just ended made room
            return self._take_turn(waiter, scan=False)
        return lease

    def _refusal(self, waiter: Waiter[C], orders: Orders[C], *, joins: bool) -> Exception | None:
        """Why this waiter should not wait, if so. Under the lock."""
        ledger = self._ledger
        if ledger.deadlocked(waiter):
            orders.end += ledger.abandoned(self.now())
            if ledger.deadlocked(waiter):
                holders = [it for it in self.waiters if ledger.lends_to(it.owner)]
                return refusals.deadlock(self.stats(), holders)
        limit = self.options.max_waiting
        if joins and limit and len(ledger.waiters) > limit:
            self._counters.queue_full += 1
            return self._told_by_a_full_server() or refusals.queue_full(self.stats(), limit)
        return None

    def _timed_out(self, waited: float) -> Exception:
        """Why there was none: the server's own word where it has no room for one more."""
        with self._lock:
            self._counters.timeouts += 1
            fails = self._counters.connects_fail
            told = self._told_by_a_full_server()
        stats = self.stats()
        tell(self._emit, PoolExhausted(self.name, stats.waiting, stats.max_size))
        return told or refusals.timed_out(stats, waited, connects_fail=fails)

    def _told_by_a_full_server(self) -> Exception | None:
        no_room = self._ledger.no_room
        return None if no_room is None else copy.copy(no_room.error)

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

    def _pass_on(self, slot: Slot[C]) -> None:
        """Give a slot that has just come back to the first in the queue."""
        with self._lock:
            waiter = self._ledger.pass_on(slot)
        if waiter is not None:
            waiter.ring()
