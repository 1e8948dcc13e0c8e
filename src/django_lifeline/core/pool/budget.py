"""A limit over several pools, such as all those of one server: who gives way to whom."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, Protocol

from django_lifeline.core.pool.slot import C, State

if TYPE_CHECKING:
    from django_lifeline.core.clock import Clock
    from django_lifeline.core.events import Reason
    from django_lifeline.core.pool.lease import Lease
    from django_lifeline.core.pool.slot import Slot

PAUSE = 0.05
"""Seconds after which a borrower looks again by himself: for a connection that rests between two
statements of its owner, or that ended without being given back."""


class Member(Protocol[C]):
    """What a budget, and whoever is given room by it, asks of a pool."""

    def needs_all(self) -> bool:
        """Whether it has no more connections than it is to keep."""

    def take_out(self, slot: Slot[C]) -> Lease[C] | None:
        """Lease exactly this idle slot; None: it is not idle any more."""

    def recall(self, slot: Slot[C]) -> Lease[C] | None:
        """Lease a slot that rests, also where its owner is not done with it; None: he uses it."""

    def unfit(self, lease: Lease[C]) -> Reason | None:
        """Why a connection that was taken out must not be used any more; None: it is fit."""

    def retire(self, lease: Lease[C]) -> None:
        """End a connection that has lived long enough."""

    def discard(self, lease: Lease[C], reason: Reason) -> None:
        """End a connection that is broken."""

    def give_way(self, lease: Lease[C]) -> None:
        """End a connection since another pool needs one more."""

    def part_with(self, lease: Lease[C]) -> None:
        """Forget a connection that goes on in another pool."""


@dataclass(frozen=True, slots=True)
class GivesWay(Generic[C]):
    """A connection that makes room, in the hand of whoever asked for it."""

    pool: Member[C]
    lease: Lease[C]


class Budget(Generic[C]):
    """How many connections some pools may have together.

    Each pool tells which slots it has (`add`, `remove`) and which were given back (`returned`), by
    single atomic operations. Under ``_lock`` one borrower after the other is given leave; pools are
    asked for their slots without it.
    """

    def __init__(self, name: str, limit: int, clock: Clock) -> None:
        self.name = name
        self.limit = limit
        self._clock = clock
        self.start_over()

    def start_over(self) -> None:
        """Begin anew, as the pools do in a forked child."""
        self._lock = threading.Lock()
        self._slots: dict[Slot[C], Member[C]] = {}
        self._idle: OrderedDict[Slot[C], Member[C]] = OrderedDict()
        """In the order in which they were given back; some may be lent again."""
        self._pending: set[object] = set()
        """One for each borrower who has a slot already, and waits for leave to connect."""
        self._waiting: deque[threading.Event] = deque()

    @property
    def used(self) -> int:
        """How many connections there are, those that are being opened included."""
        return len(self._slots) - len(self._pending)

    @property
    def spent(self) -> bool:
        """Whether one more would be too many."""
        return self.used >= self.limit

    def add(self, slot: Slot[C], pool: Member[C]) -> None:
        """Count a slot for which a connection is about to be opened."""
        self._slots[slot] = pool

    def remove(self, slot: Slot[C]) -> None:
        """Count a slot no more."""
        self._slots.pop(slot, None)
        self._idle.pop(slot, None)
        if self._waiting:
            self._ring()

    def returned(self, slot: Slot[C], pool: Member[C]) -> None:
        """Take note that nobody uses this slot now."""
        self._idle[slot] = pool
        try:
            self._idle.move_to_end(slot)
        except KeyError:  # another thread has taken it out of the list at this moment
            return
        if self._waiting:
            self._ring()

    def make_room(self, seconds: float) -> GivesWay[C] | None:
        """Wait for leave to connect in a slot that was counted already.

        Returns the connection that has to give way to the new one, None where there is room.
        Raises ``TimeoutError``.
        """
        me = object()
        try:
            self._pending.add(me)
            return self._in_turn(me, self._clock.monotonic() + seconds)
        finally:
            self._pending.discard(me)

    def _in_turn(self, me: object, deadline: float) -> GivesWay[C] | None:
        """Look again and again, first come, first served."""
        found = False if self._waiting else self._try(me)
        if found is not False:
            return found
        bell = threading.Event()
        self._waiting.append(bell)
        try:
            while True:
                # What comes back from now on rings the bell of the first.
                found = self._try(me) if self._waiting[0] is bell else False
                if found is not False:
                    return found
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    raise TimeoutError
                bell.wait(min(left, PAUSE))
                bell.clear()
        finally:
            self._waiting.remove(bell)
            self._ring()

    def _try(self, me: object) -> GivesWay[C] | Literal[False] | None:
        """Return what gives way, None if nothing need; False: neither is possible now."""
        with self._lock:
            if not self.spent:
                self._pending.discard(me)
                return None
        return self._longest_idle() or self._at_rest() or False

    def _longest_idle(self) -> GivesWay[C] | None:
        kept = []
        found = None
        while found is None:
            try:
                slot, pool = self._idle.popitem(last=False)
            except KeyError:
                break
            if pool.needs_all():
                kept.append((slot, pool))
                continue
            lease = pool.take_out(slot)
            found = None if lease is None else GivesWay(pool, lease)
        for slot, pool in reversed(kept):
            self._idle[slot] = pool
            self._idle.move_to_end(slot, last=False)
        return found

    def _at_rest(self) -> GivesWay[C] | None:
        """Take one whose owner may go on with it, and gets another one then, as in one pool."""
        resting = [it for it in list(self._slots.items()) if it[0].state is State.RESTING]
        resting.sort(key=lambda it: (it[0].answers, it[0].rested_at))
        for slot, pool in resting:
            lease = pool.recall(slot)
            if lease is not None:
                return GivesWay(pool, lease)
        return None

    def _ring(self) -> None:
        try:
            self._waiting[0].set()
        except IndexError:
            return

    def __repr__(self) -> str:
        return f"<Budget {self.name!r}: {self.used} of {self.limit}>"
