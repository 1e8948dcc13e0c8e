"""The book-keeping alone, moved at random against what must always hold."""

import functools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from django_lifeline.core.pool.connection import Lifetimes
from django_lifeline.core.pool.lease import Lease
from django_lifeline.core.pool.ledger import Ledger, Orders
from django_lifeline.core.pool.outage import GROWERS, SLOW
from django_lifeline.core.pool.owners import Owner, _Presence
from django_lifeline.core.pool.slot import IllegalMove, Slot, State
from django_lifeline.core.pool.waiters import Waiter
from django_lifeline.testing import FakeConnection


class FakeLender:
    """Stands for the pool: nobody waits, as far as its leases know."""

    generation = 0
    waiters = ()

    def now(self):
        return 0.0

    def settle(self):
        raise AssertionError("nobody waits")


def new_ledger(max_size, min_size=0, max_overflow=0):
    lender = FakeLender()
    return Ledger(
        min_size=min_size,
        max_size=max_size,
        max_overflow=max_overflow,
        new_lease=functools.partial(Lease, lender),
    )


class Person:
    """An owner that a test can end."""

    def __init__(self):
        self.presence = _Presence()
        self.owner = Owner(self.presence)

    def end(self):
        self.presence = None


class Borrowing(RuleBasedStateMachine):
    """Borrowers come, wait, connect, return, rest, forget and end, in any order.

    ``queue`` is the model: those who wait, in order of arrival. ``held`` are the leases that
    borrowers use or rest, with their owners.
    """

    MAX_SIZE = 6
    MAX_OVERFLOW = 0

    def __init__(self):
        super().__init__()
        self.ledger = new_ledger(self.MAX_SIZE, max_overflow=self.MAX_OVERFLOW)
        self.queue = []
        self.connecting = []
        self.held = []
        self.time = 0.0
        self.begun_at = float("-inf")

    def settle(self, *, scan=False):
        self.time += 1
        orders = self.ledger.settle(self.time, scan=scan)
        for waiter in orders.wake:
            assert waiter in [queued for queued, _ in self.queue]
        for ending in orders.end:
            self.ledger.remove(ending.lease.slot)
        self.collect()
        if orders.end:
            self.settle()

    def collect(self):
        """Let all who were handed something take it: the first ones, and each one thing."""
        waited_on = False
        left = []
        for waiter, person in self.queue:
            if waiter.lease is None:
                waited_on = True
                left.append((waiter, person))
                continue
            assert not waited_on, "somebody was overtaken"
            self.held.append((waiter.lease, person))
        self.queue = left

    @rule()
    def join(self):
        person = Person()
        waiter = Waiter(person.owner)
        self.ledger.join(waiter)
        self.queue.append((waiter, person))
        self.settle()

    @precondition(lambda self: self.queue and self.ledger.may_open())
    @rule()
    def connect(self):
        assert len(self.connecting) < GROWERS or self.time - self.begun_at >= SLOW
        self.begun_at = self.time
        waiter, person = self.queue.pop(0)
        orders = Orders()
        lease = self.ledger.claim_turn(waiter, 0, orders)
        assert lease.slot.state is State.CONNECTING
        self.connecting.append((lease, person))
        self.collect()

    @rule()
    def connect_first(self):
        person = Person()
        empty = not self.ledger.slots and not self.queue
        self.time += 1
        lease = self.ledger.reserve_first(person.owner, 0, self.time)
        assert (lease is not None) is empty
        if lease is not None:
            self.begun_at = self.time
            self.connecting.append((lease, person))

    @precondition(lambda self: self.connecting)
    @rule(data=st.data(), succeeds=st.booleans())
    def end_connecting(self, data, succeeds):
        lease, person = self.connecting.pop(data.draw(st.integers(0, len(self.connecting) - 1)))
        if succeeds:
            lease.connection = FakeConnection()
            lease.slot.opened(lease.connection, self.time, Lifetimes())
            self.ledger.opened(lease)
            self.held.append((lease, person))
        else:
            self.ledger.remove(lease.slot)
        self.settle()

    def draw_held(self, data):
        return self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def give_back(self, data):
        lease, _ = self.draw_held(data)
        if not lease.hold:  # recalled meanwhile
            return
        slot = lease.hold.pop()
        slot.move(State.IDLE)
        self.ledger.idle.append(slot)
        self.settle()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def discard(self, data):
        lease, _ = self.draw_held(data)
        if not lease.hold:
            return
        slot = lease.hold.pop()
        slot.move(State.CLOSING)
        self.ledger.remove(slot)
        self.settle()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def rest(self, data):
        lease, person = self.draw_held(data)
        lease.rest()
        self.held.append((lease, person))
        self.settle()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def resume(self, data):
        lease, person = self.draw_held(data)
        if lease.resume():
            assert lease.slot.state is State.LENT
            self.held.append((lease, person))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def forget(self, data):
        self.draw_held(data)
        self.settle(scan=True)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def end_owner(self, data):
        lease, person = self.draw_held(data)
        in_use = lease.slot.state is State.LENT
        waited_for = bool(self.queue)
        person.end()
        self.settle(scan=True)
        if waited_for and in_use:
            assert not lease.hold

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def give_up(self, data):
        waiter, _ = self.queue.pop(data.draw(st.integers(0, len(self.queue) - 1)))
        assert self.ledger.withdraw(waiter) is None
        self.settle()

    @invariant()
    def is_bounded(self):
        assert len(self.ledger.slots) <= self.MAX_SIZE + self.MAX_OVERFLOW
        assert self.ledger.connecting == len(self.connecting)

    @invariant()
    def no_slot_is_in_two_hands(self):
        hands = [lease.slot for lease, _ in self.held if lease.hold]
        hands += [lease.slot for lease, _ in self.connecting]
        hands += list(self.ledger.idle)
        assert len(hands) == len(set(hands))
        assert set(hands) <= self.ledger.slots

    @invariant()
    def who_waits_is_queued_in_order(self):
        assert [waiter for waiter, _ in self.queue] == list(self.ledger.waiters)

    @invariant()
    def nobody_waits_beside_a_free_connection(self):
        if self.queue:
            assert not self.ledger.idle
            resting = [slot for slot in self.ledger.slots if slot.state is State.RESTING]
            assert not resting or self.ledger.may_open()

    def teardown(self):
        """When all have left, a scan finds every slot: none was lost."""
        while self.connecting:
            self.ledger.remove(self.connecting.pop()[0].slot)
        for waiter, _ in self.queue:
            self.ledger.withdraw(waiter)
        self.queue.clear()
        self.held.clear()
        for ending in self.ledger.abandoned(self.time):
            self.ledger.remove(ending.lease.slot)
        at_rest = {slot for slot in self.ledger.slots if slot.state is State.RESTING}
        assert self.ledger.slots == set(self.ledger.idle) | at_rest
        assert self.ledger.connecting == 0


TestBorrowing = Borrowing.TestCase
TestBorrowing.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class Overflowing(Borrowing):
    """The same with a pool that opens more while those in use stand still."""

    MAX_SIZE = 2
    MAX_OVERFLOW = 3

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def use(self, data):
        lease, person = self.draw_held(data)
        if lease.resume():
            lease.rest(self.time)
            assert lease.resume()
            self.held.append((lease, person))

    @rule()
    def tidy(self):
        before = len(self.ledger.slots)
        for lease in self.ledger.take_surplus(self.time, Person().owner):
            assert not self.queue
            self.ledger.remove(lease.slot)
        assert len(self.ledger.slots) >= min(before, self.MAX_SIZE)


TestOverflowing = Overflowing.TestCase
TestOverflowing.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


LEGAL = {
    (State.CONNECTING, State.LENT),
    (State.CONNECTING, State.CLOSING),
    (State.CONNECTING, State.GONE),
    (State.IDLE, State.LENT),
    (State.IDLE, State.CLOSING),
    (State.LENT, State.IDLE),
    (State.LENT, State.RESTING),
    (State.LENT, State.CLOSING),
    (State.RESTING, State.LENT),
    (State.RESTING, State.IDLE),
    (State.RESTING, State.CLOSING),
    (State.CLOSING, State.CLOSING),
    (State.CLOSING, State.GONE),
}


@pytest.mark.parametrize("here", State)
@pytest.mark.parametrize("there", State)
def test_slot_makes_legal_moves_only(here, there):
    slot = Slot(generation=0)
    slot.state = here
    if (here, there) in LEGAL:
        slot.move(there)
        assert slot.state is there
    else:
        with pytest.raises(IllegalMove, match=f"{here.value} cannot become {there.value}"):
            slot.move(there)
        assert slot.state is here


def opened(ledger, person):
    lease = ledger.reserve(person.owner, 0)
    lease.connection = FakeConnection()
    lease.slot.opened(lease.connection, 0.0, Lifetimes())
    ledger.opened(lease)
    return lease


def test_slot_in_flight_is_not_taken_for_lost_at_first_sight():
    ledger, person = new_ledger(1), Person()
    lease = opened(ledger, person)
    slot = lease.hold.pop()
    slot.move(State.IDLE)
    assert ledger.abandoned(0.0) == []
    lease = ledger.take(slot, person.owner)
    lease.hold.pop()
    slot.move(State.IDLE)
    assert ledger.abandoned(1.0) == []  # missed again, but lent in between
    assert [ending.lease.slot for ending in ledger.abandoned(2.0)] == [slot]


def test_slot_taken_for_lost_cannot_be_lent_by_who_is_late():
    ledger, person = new_ledger(1), Person()
    lease = opened(ledger, person)
    slot = lease.hold.pop()
    slot.move(State.IDLE)
    ledger.abandoned(0.0)
    (ending,) = ledger.abandoned(1.0)
    assert slot.generation != 0
    with pytest.raises(IllegalMove):
        ledger.take(slot, person.owner)
    assert ending.lease.slot is slot


def left_at_rest(ledger, person):
    """A slot whose claim was won, and whoever won it has not used it."""
    lease = opened(ledger, person)
    lease.rest(0.0)
    lease.slot.claim.pop()
    return lease


def test_resting_slot_is_not_taken_from_a_borrower_who_has_just_won_it():
    ledger, person = new_ledger(1), Person()
    lease = left_at_rest(ledger, person)
    slot = lease.slot
    del lease
    assert ledger.abandoned(0.0) == []
    lease = ledger.take(slot, Person().owner)
    assert slot.state is State.LENT
    assert lease.hold


@pytest.mark.parametrize("forgotten", [True, False])
def test_resting_slot_that_its_owner_won_back_before_he_ended_is_abandoned(forgotten):
    ledger, person = new_ledger(1), Person()
    lease = left_at_rest(ledger, person)
    slot = lease.slot
    ledger.abandoned(0.0)
    assert ledger.abandoned(1.0) == []  # he goes on
    if forgotten:
        del lease
    person.end()
    ledger.abandoned(2.0)
    assert [ending.lease.slot for ending in ledger.abandoned(3.0)] == [slot]
    assert forgotten or not lease.hold


def test_connecting_slot_of_a_forgotten_lease_is_abandoned():
    ledger, person = new_ledger(1), Person()
    ledger.reserve(person.owner, 0)
    (ending,) = ledger.abandoned(0.0)
    assert ending.lease.slot.state is State.CLOSING
    assert ledger.connecting == 0


def test_first_borrower_keeps_to_the_pause_of_an_outage():
    ledger = new_ledger(1)
    ledger.outage.failed(started=0.0, now=0.0)
    owner = Person().owner
    assert ledger.reserve_first(owner, 0, 0.0) is None
    assert ledger.reserve_first(owner, 0, ledger.outage.opens_from) is not None
