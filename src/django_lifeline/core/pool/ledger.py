"""The pool's book-keeping: plain values, no lock, no I/O, no clock.

Every method is called under the pool's lock and returns what is to be done outside it.
"""

from __future__ import annotations

import itertools
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic

from django_lifeline.core.events import Reason
from django_lifeline.core.pool.budget import Budget, Member
from django_lifeline.core.pool.lease import Lease
from django_lifeline.core.pool.outage import SLOW, NoRoom, Outage
from django_lifeline.core.pool.owners import Owner
from django_lifeline.core.pool.slot import C, Hand, Slot, State
from django_lifeline.core.pool.waiters import Waiter

SCAN_PAUSE = 0.01
"""Seconds between two scans for abandoned slots, unless a waiter insists. A scan looks at every
slot; in a busy pool each borrower that has to queue would pay for one."""

ROOM_KEPT = 10.0
"""Seconds for which connections beyond ``max_size`` are kept after the last one was opened: work
that needs them needs them again, and shall not wait for them each time."""

UNUSED_FOR = 1.0
"""Seconds for which one of them was not used that is not needed: a crowd that goes on uses all."""

LEFT_FOR = 10.0
"""The same of one whose owner is not done with it: he may be about to ask his session something."""

FULL_FOR = 1.0
"""Seconds for which a server that had no room for one more is not asked for more than
``max_size``."""

LOST_AFTER = 0.05
"""Seconds for which a slot must be in no hand before it counts as lost."""

_RESTING = State.RESTING


@dataclass(frozen=True, slots=True)
class Ending(Generic[C]):
    """A connection that is to be ended, in the hand that is to do it."""

    lease: Lease[C]
    reason: Reason


@dataclass(slots=True)
class Orders(Generic[C]):
    """What is to be done once the lock is released."""

    wake: list[Waiter[C]] = field(default_factory=list)
    end: list[Ending[C]] = field(default_factory=list)
    recalled: int = 0


def _is_used(slot: Slot[C]) -> bool:
    """Whether a slot rests with an owner who is likely to want it again soon."""
    rests = slot.state is _RESTING and not slot.returned
    return rests and slot.owner is not None and not slot.owner.ended()


def _is_left(slot: Slot[C]) -> bool:
    """Whether the owner of a slot that rests has ended."""
    return slot.owner is not None and slot.owner.ended()


def _stays(slot: Slot[C]) -> bool:
    """Whether a slot that rests is its owner's to ask, or to find again in his next work."""
    return (slot.answers or slot.own) and slot.owner is not None and not slot.owner.ended()


def _is_missing(slot: Slot[C]) -> bool:
    """Whether a slot that is not on the stack of the idle ones should be there or with an owner."""
    if slot.state is _RESTING and not slot.claim:
        return slot.lease() is None or slot.owner is None or slot.owner.ended()
    return slot.state is State.IDLE


class Ledger(Generic[C]):
    """Who has which slot, and who waits for one.

    ``idle``, ``returned`` and ``waiters`` may be read, popped and added to without the lock, one
    atomic operation at a time: whoever popped a slot from ``idle`` has it; one from ``returned``
    has to be claimed. All else is changed under the lock only.
    """

    def __init__(
        self,
        *,
        max_size: int,
        new_lease: Callable[[Slot[C], C | None], Lease[C]],
        min_size: int = 0,
        max_overflow: int | None = 0,
    ) -> None:
        self.min_size = min_size
        self.max_size = max_size
        self.max_overflow = max_overflow
        self._new_lease = new_lease
        self.slots: set[Slot[C]] = set()
        self.counted: tuple[Budget[C], Member[C]] | None = None
        """Where else the slots are counted, and as whose."""
        self.idle: deque[Slot[C]] = deque()
        """The most recently used at the right end; the longest idle at the left."""
        self.returned: dict[Slot[C], None] = {}
        """Where to look first for slots that rest with owners who are done with them. A slot may
        be in it and lent all the same."""
        self.waiters: deque[Waiter[C]] = deque()
        self.connecting = 0
        self.outage = Outage()
        self._now = float("-inf")
        """When the ledger was settled last."""
        self._begun_at = float("-inf")
        """When the latest attempt to connect began."""
        self._needed_at = float("-inf")
        """When more than ``max_size`` were needed last."""
        self.no_room: NoRoom | None = None
        """What the server said to one more than ``max_size``, until it takes one again."""
        self._full_until = float("-inf")
        self._scanned_at = float("-inf")

    # -- slots ---------------------------------------------------------------------------

    def take(self, slot: Slot[C], owner: Owner, to: State = State.LENT) -> Lease[C]:
        """Put a slot that is in no other hand into a new lease of ``owner``."""
        # The lease first: whatever breaks in after it, the scan finds the slot's lease dead.
        lease = self._new_lease(slot, slot.connection)
        slot.lease = weakref.ref(lease)
        slot.owner = owner
        slot.move(to)
        if to is State.LENT:
            slot.lends += 1
        return lease

    def find_returned(self) -> Slot[C] | None:
        """Win a resting slot from an owner who is done with it. Needs no lock."""
        while True:
            try:
                slot, _ = self.returned.popitem()
            except KeyError:
                return None
            if slot.returned and slot.state is State.RESTING and self._claimed(slot):
                return slot

    def may_open(self) -> bool:
        """Whether one more connection may be opened now."""
        outage, now = self.outage, self._now
        if now < outage.opens_from:
            return False
        # Those who connect may be stuck, where a new attempt would get through.
        grows = self.connecting < outage.growers or now - self._begun_at >= SLOW
        return grows and self._has_room()

    def _has_room(self) -> bool:
        """Whether there may be one more.

        Whoever waits in a transaction for somebody who waits here would wait in vain. Not where
        that would be to wait again: for other pools to give way, or for room at the server.
        """
        if len(self.slots) < self.max_size:
            return True
        if self._now < self._full_until or self.counted is not None and self.counted[0].spent:
            return False
        limit = self.max_overflow
        return limit is None or len(self.slots) < self.max_size + limit

    def _spares_owners(self) -> bool:
        """Whether another one is opened before an owner loses what he is not done with.

        Where nobody has set a limit he keeps it throughout his piece of work, as with stock: a
        trigger may have left something in his session, or he has asked for its number.
        """
        if self.max_overflow is None:
            return self._has_room()
        return len(self.slots) < self.max_size and self.may_open()

    def reserve(self, owner: Owner, generation: int) -> Lease[C]:
        """Make a slot for the connection that ``owner`` is about to open."""
        slot: Slot[C] = Slot(generation)
        lease = self._new_lease(slot, None)
        lease.hold.clear()  # nothing to give back yet
        slot.lease = weakref.ref(lease)
        slot.owner = owner
        self.slots.add(slot)
        if self.counted is not None:
            budget, pool = self.counted
            budget.add(slot, pool)
        self.connecting += 1
        self._begun_at = self._now
        slot.extra = len(self.slots) > self.max_size
        if slot.extra:
            self._needed_at = self._now
        return lease

    def found_full(self, now: float, no_room: NoRoom) -> None:
        """Take note that the server had no room for one beyond ``max_size``."""
        self._full_until = now + FULL_FOR
        self.no_room = no_room

    def stays_full(self, started: float, now: float) -> NoRoom | None:
        """What the server said, if nothing came free for so long. Needs no lock.

        Those who have connections may be waiting for those who wait for one, who would not with
        stock: there they are refused at once.
        """
        no_room = self.no_room
        if no_room is None or started > now - no_room.patience:
            return None
        return None if self.has_answered(now - no_room.patience) else no_room

    def reserve_first(self, owner: Owner, generation: int, now: float) -> Lease[C] | None:
        """The same where there is neither a slot nor a queue; None: there is, or it must wait."""
        if self.slots or self.waiters:
            return None
        self._now = self._scanned_at = now  # there is nothing to be scanned
        return self.reserve(owner, generation) if self.may_open() else None

    def opened(self, lease: Lease[C]) -> None:
        """The reserved slot's connection is open: its borrower has it."""
        slot = lease.slot
        slot.move(State.LENT)
        slot.lends += 1
        self.connecting -= 1
        lease.hold.append(slot)
        self.no_room = None

    def remove(self, slot: Slot[C]) -> bool:
        """Forget a slot whose connection is ended; whether it was known."""
        if slot not in self.slots:
            return False
        self.slots.remove(slot)
        if self.counted is not None:
            self.counted[0].remove(slot)
        self.returned.pop(slot, None)
        if slot.state is State.CONNECTING:
            self.connecting -= 1
        slot.state = State.GONE
        return True

    # -- the queue -----------------------------------------------------------------------

    def join(self, waiter: Waiter[C], *, first: bool = False) -> None:
        """Queue up, at the end or (whoever got a dead connection) at the head."""
        waiter.ledger = self
        waiter.lease = None
        if first:
            self.waiters.appendleft(waiter)
        else:
            self.waiters.append(waiter)

    def withdraw(self, waiter: Waiter[C]) -> Lease[C] | None:
        """Leave the queue for good; the lease that was handed over meanwhile, if any."""
        if waiter in self.waiters:
            self.waiters.remove(waiter)
        lease, waiter.lease = waiter.lease, None
        return lease

    def claim_turn(self, waiter: Waiter[C], generation: int, orders: Orders[C]) -> Lease[C] | None:
        """The lease in the waiter's hand; or a slot to connect, if it is first and may open."""
        if waiter.lease is None and self.waiters[0] is waiter and self.may_open():
            self.waiters.popleft()
            waiter.lease = self.reserve(waiter.owner, generation)
            self._serve(orders)  # there is a new head, and one less to open
        return waiter.lease

    def settle(self, now: float, *, scan: bool = False) -> Orders[C]:
        """Hand the waiters what there is, in order of arrival, until nothing is left to hand.

        With ``scan``, look for abandoned slots first.
        """
        self._now = now
        orders: Orders[C] = Orders()
        if scan and self.waiters and not self.idle:
            orders.end += self.abandoned(now)
        self._serve(orders)
        return orders

    def _serve(self, orders: Orders[C]) -> None:
        if self.idle:
            self._serve_idle(orders)
        if not self.waiters:
            return
        resting = [slot for slot in self.slots if slot.state is _RESTING]
        if resting:
            # Those whose owner is done or gone come before opening another.
            self._recall(resting, orders, only_unused=self._spares_owners())
        if self.waiters and self.may_open():
            orders.wake.append(self.waiters[0])

    def _serve_idle(self, orders: Orders[C]) -> None:
        while self.waiters:
            try:
                slot = self.idle.pop()
            except IndexError:
                return
            self._hand_over(slot, orders)

    def pass_on(self, slot: Slot[C]) -> Waiter[C] | None:
        """Hand an idle slot to the first in the queue, who is to be woken; or stack it."""
        if not self.waiters:
            self.idle.append(slot)
            return None
        waiter = self.waiters[0]
        waiter.lease = self.take(slot, waiter.owner)
        self.waiters.popleft()
        return waiter

    def _hand_over(self, slot: Slot[C], orders: Orders[C]) -> None:
        waiter = self.pass_on(slot)
        if waiter is not None:
            orders.wake.append(waiter)

    def refuse_waiters(self, error: BaseException) -> list[Waiter[C]]:
        """Let all who wait have this error; they are to be woken."""
        refused = [waiter for waiter in self.waiters if waiter.lease is None]
        for waiter in refused:
            waiter.refusal = error
        self.waiters.clear()
        return refused

    def has_answered(self, since: float) -> bool:
        """Whether a connection came to rest after *since*: the server is there. Needs no lock."""
        return any(slot.last_answer >= since for slot in list(self.slots))

    # -- taking back ---------------------------------------------------------------------

    def _recall(self, resting: list[Slot[C]], orders: Orders[C], *, only_unused: bool) -> None:
        if only_unused:
            # One more than ``max_size`` is not opened for those who have long been doing nothing.
            left = self._now - LEFT_FOR if len(self.slots) >= self.max_size else float("-inf")
            resting = [slot for slot in resting if slot.rested_at <= left or not _is_used(slot)]
        resting.sort(key=lambda slot: (_is_used(slot), slot.answers, slot.rested_at))
        for slot in resting:
            if not self.waiters:
                return
            if self._claimed(slot):
                orders.recalled += not slot.returned
                self._hand_over(slot, orders)

    def _claimed(self, slot: Slot[C]) -> bool:
        """Win a resting slot from its owner, who may be resuming at this moment."""
        try:
            slot.claim.pop()
        except IndexError:
            return False
        lease = slot.lease()
        if lease is not None and not _end_lease(lease):
            return False
        slot.lend_until = min(slot.rested_at + slot.max_idle, slot.expires)
        return True

    def abandoned(self, now: float) -> list[Ending[C]]:
        """The slots that nobody can give back any more, each in a new hand that shall end it."""
        self._scanned_at = now
        found = [slot for slot in self.slots if self._is_abandoned(slot)]
        found += self._in_no_hand(now)
        endings = []
        for slot in found:
            if slot.state is State.CONNECTING:
                self.connecting -= 1
            owner = slot.owner
            assert owner is not None
            reason = Reason.IDLE if slot.hung_up else Reason.ABANDONED
            endings.append(Ending(self.take(slot, owner, State.CLOSING), reason))
        return endings

    def scan_is_due(self, now: float) -> bool:
        """Whether the last scan was long enough ago for another one."""
        return now - self._scanned_at >= SCAN_PAUSE

    def _is_abandoned(self, slot: Slot[C]) -> bool:
        if slot.hung_up:
            return slot.state is State.RESTING
        if slot.state is State.IDLE or slot.state is State.RESTING:
            # Lent to the next like any other, or found in no hand.
            return False
        lease = slot.lease()
        if lease is None:
            return True
        owner, connection = slot.owner, slot.connection
        if slot.state is not State.LENT or owner is None or connection is None:
            return False
        return owner.ended() and not connection.busy and _end_lease(lease)

    def _in_no_hand(self, now: float) -> list[Slot[C]]:
        """Slots that something broke out of a hand, between being won and being used.

        A borrower may be between these two steps right now, therefore a slot must be missed for
        a while. Should that still be wrong, because its thread was not given the processor, then
        the borrower finds the generation changed and does not use the connection.
        """
        lost = []
        in_hand = set(self.idle)
        for slot in self.slots:
            if slot in in_hand or slot.hung_up or not _is_missing(slot):
                continue
            if slot.missed_at_lend != slot.lends:
                slot.missed_at_lend, slot.missed_since = slot.lends, now
            elif now - slot.missed_since >= LOST_AFTER:
                slot.set_aside()
                lease = slot.lease() if slot.state is _RESTING else None
                if _is_missing(slot) and (lease is None or _end_lease(lease)):
                    lost.append(slot)
        return lost

    def take_idle(self, owner: Owner, *, unused: bool = False) -> list[Lease[C]]:
        """Take all idle and resting slots out, to be ended; owners of the latter lease anew.

        Only ``unused`` ones: not from owners who are not done with them, or keep them.
        """
        leases: list[Lease[C]] = []
        while True:
            try:
                slot = self.idle.popleft()
            except IndexError:
                break
            leases.append(self.take(slot, owner, State.CLOSING))
        resting = [it for it in list(self.slots) if it.state is _RESTING]
        if unused:
            resting = [slot for slot in resting if slot.returned and not slot.own]
        claimed = [slot for slot in resting if self._claimed(slot)]
        return leases + [self.take(slot, owner, State.CLOSING) for slot in claimed]

    def at_rest(self) -> list[Slot[C]]:
        """The slots that rest with owners who are done with them."""
        resting = [slot for slot in list(self.slots) if slot.state is _RESTING]
        return [slot for slot in resting if slot.returned and not slot.hung_up]

    def take_out(
        self, slot: Slot[C], owner: Owner, to: State = State.LENT, *, recall: bool = False
    ) -> Lease[C] | None:
        """Take exactly this slot if nobody uses it; None: somebody does.

        With ``recall`` one that rests is taken from an owner who is not done with it, too.
        """
        if slot.state is State.RESTING:
            won = (recall or slot.returned) and self._claimed(slot)
        else:
            try:
                self.idle.remove(slot)
                won = True
            except ValueError:
                won = False
        return self.take(slot, owner, to) if won else None

    def take_stale(self, now: float, owner: Owner, limit: int) -> list[Lease[C]]:
        """Take out up to ``limit`` slots that were idle too long, but keep ``min_size``."""
        leases: list[Lease[C]] = []
        unused = [*itertools.islice(self.idle.copy(), limit), *self.at_rest()]
        for slot in unused:
            if len(leases) == limit or len(self.slots) - len(leases) <= self.min_size:
                break
            # What upkeep has pinged lives on, but was used no later for that.
            fresh_until = max(slot.returned_at, slot.rested_at) + slot.max_idle
            if now >= fresh_until or now >= slot.expires:
                lease = self.take_out(slot, owner, State.CLOSING)
                leases += [lease] if lease is not None else []
        return leases

    def take_surplus(self, now: float, owner: Owner) -> list[Lease[C]]:
        """Take out, to be ended, those beyond ``max_size`` that were needed for a while only.

        The longest unused first, one that rests with an owner who is not done with it included:
        he leases anew, unless he may ask about his last statement.
        """
        surplus = sum(slot.state is not State.CLOSING for slot in self.slots) - self.max_size
        if surplus <= 0 or self.waiters or now - self._needed_at < ROOM_KEPT:
            return []
        resting = [slot for slot in self.slots if slot.state is _RESTING and not _stays(slot)]
        unused = sorted([*self.idle.copy(), *resting], key=lambda slot: slot.last_answer)
        leases: list[Lease[C]] = []
        for slot in unused:
            if len(leases) == surplus or now - slot.last_answer < UNUSED_FOR:
                break
            if now - slot.last_answer >= LEFT_FOR or not _is_used(slot):
                lease = self.take_out(slot, owner, State.CLOSING, recall=True)
                leases += [lease] if lease is not None else []
        return leases

    def take_left_over(self) -> list[Slot[C]]:
        """Claim what ended owners left at rest, and is more than those who use some may want next.

        The longest unused first. Needs no lock: an ending thread asks, perhaps the last one. Where
        they are counted elsewhere whoever needs room finds them there.
        """
        if self.counted is not None:
            return []
        slots = [slot for slot in list(self.slots) if not slot.hung_up]
        left = [slot for slot in slots if slot.state is _RESTING and _is_left(slot)]
        spare = len(left) + len(self.idle)
        surplus = spare - max(self.max_size, len(slots) - spare)
        if surplus <= 0:
            return []
        oldest = sorted(left, key=lambda slot: slot.rested_at)[:surplus]
        claimed = [slot for slot in oldest if self._claimed(slot)]
        for slot in claimed:
            slot.set_aside()
            slot.hung_up = True
            self.returned.pop(slot, None)
        return claimed

    def take_unheard(self, since: float, owner: Owner) -> list[Lease[C]]:
        """Take out, to be ended, whatever is unused and has not answered later than *since*.

        Those whose owner may ask about his last statement stay with him.
        """
        resting = [slot for slot in self.slots if slot.state is _RESTING and not slot.answers]
        unheard = [slot for slot in (*self.idle.copy(), *resting) if slot.last_answer < since]
        taken = [self.take_out(slot, owner, State.CLOSING, recall=True) for slot in unheard]
        return [lease for lease in taken if lease is not None]

    def may_be_in_garbage(self) -> bool:
        """Whether somebody ended who had a connection that is not back. Needs no lock."""
        return any(
            slot.state is State.LENT and slot.owner is not None and slot.owner.ended()
            for slot in list(self.slots)
        )

    def lends_to(self, owner: Owner) -> bool:
        """Whether this borrower has a connection. Needs no lock."""
        return any(slot.owner is owner for slot in list(self.slots))

    def deadlocked(self, waiter: Waiter[C]) -> bool:
        """Whether all slots are in use by owners who wait here themselves, ``waiter``'s included.

        Nothing in this process could give a connection back then.
        """
        if self.max_overflow is None or len(self.slots) < self.max_size + self.max_overflow:
            return False
        if not self.lends_to(waiter.owner):
            return False  # by far the most frequent case
        if any(slot.state is not State.LENT for slot in self.slots):
            return False
        return {slot.owner for slot in self.slots} <= {other.owner for other in self.waiters}


def _end_lease(lease: Hand) -> bool:
    try:
        lease.hold.pop()
    except IndexError:
        return False
    return True
