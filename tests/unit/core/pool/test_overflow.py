"""More connections than ``max_size``, while some are kept where nobody else could use them."""

from __future__ import annotations

from threading import Barrier, Event
from typing import Any, cast

import pytest
from tests.unit.core.pool.test_ledger import Person, new_ledger, opened

from django_lifeline.core.events import Reason
from django_lifeline.core.pool.budget import Budget
from django_lifeline.core.pool.ledger import FULL_FOR, ROOM_KEPT, UNUSED_FOR, Ledger, Orders
from django_lifeline.core.pool.pool import TIDY_PAUSE
from django_lifeline.core.pool.slot import KEPT_AFTER, State
from django_lifeline.core.pool.waiters import Waiter
from django_lifeline.exceptions import PoolTimeout
from django_lifeline.testing import FakeClock


class Full:
    """A ledger whose connections are all lent, and one borrower who waits."""

    def __init__(self, max_overflow: int | None, max_size: int = 2) -> None:
        self.ledger: Ledger[Any] = new_ledger(max_size, max_overflow=max_overflow)
        self.people = [Person() for _ in range(max_size)]
        self.leases = [opened(self.ledger, person) for person in self.people]
        self.waiter: Waiter[Any] = Waiter(Person().owner)
        self.ledger.join(self.waiter)

    def look(self, now: float) -> bool:
        """Whether the one who waits may open a connection."""
        self.ledger.settle(now)
        return self.ledger.may_open()


def use(lease: Any, now: float | None = None) -> None:
    """It is at rest between two statements, where somebody else could have it."""
    lease.rest(now)
    assert lease.resume()


def busy(*leases: Any) -> None:
    """Those who have them wait for the server."""
    for lease in leases:
        lease.connection.busy = True


def looks(full: Full, until: float) -> bool:
    """Look every 50 ms; whether there was room for one more in the end."""
    now, found = 100.0, False
    while now <= until:
        for lease in full.leases:
            use(lease, now)
        found = full.look(now)
        now += 0.05
    return found


def test_who_keeps_a_connection_without_using_it_keeps_nobody_waiting() -> None:
    full = Full(None)
    assert not full.look(100.0)
    assert not full.look(100.0 + KEPT_AFTER - 0.01)
    assert full.look(100.0 + KEPT_AFTER)


def test_who_uses_it_counts() -> None:
    full = Full(None)
    busy(*full.leases)
    for now in (100.0, 100.2, 100.4, 100.6, 100.8):
        for lease in full.leases:
            use(lease, now)
        assert not full.look(now)


def test_one_for_each_that_is_kept_and_no_more() -> None:
    full = Full(None)
    busy(*full.leases)
    full.look(100.0)
    use(full.leases[0], 100.9)
    assert full.look(101.0), "one of two is kept"
    opened(full.ledger, Person())
    assert not full.look(101.0)
    assert not full.look(101.0 + KEPT_AFTER - 0.01)
    assert full.look(101.0 + KEPT_AFTER), "those that were opened since are kept, too"


def test_more_are_opened_for_who_waits_for_borrowers_who_do_something_else() -> None:
    full = Full(None)
    assert not looks(full, 100.2)
    assert looks(full, 100.4)
    for _ in range(2):
        assert full.ledger.may_open()
        opened(full.ledger, Person())
    assert not full.ledger.may_open(), "twice as many are enough for now"


def test_more_would_not_help_where_all_wait_for_the_server() -> None:
    full = Full(None)
    busy(*full.leases)
    assert not looks(full, 103.0)


def test_queue_that_was_empty_meanwhile_is_no_shortage() -> None:
    full = Full(None)
    for _ in range(5):
        assert not looks(full, 100.2)
        full.ledger.withdraw(full.waiter)
        full.ledger.join(full.waiter)


def test_chosen_size_is_kept_however_long_somebody_waits() -> None:
    assert not looks(Full(0), 105.0)


def test_full_server_is_not_asked_for_more_for_a_while() -> None:
    full = Full(None)
    assert looks(full, 101.0)
    full.ledger.found_full(101.0)
    assert not full.look(101.0 + FULL_FOR - 0.01)
    assert full.look(101.0 + FULL_FOR)


def test_who_finds_the_server_full_is_served_in_turn(
    make_pool: Any, connector: Any, clock: Any, in_thread: Any, eventually: Any
) -> None:
    """One more than ``max_size`` was only to spare him the wait."""
    full = {"is_full": lambda error: True}
    pool = make_pool(max_size=1, max_overflow=None, arguments=full)
    kept = pool.lease()
    connector.failures.append(RuntimeError("Too many connections"))
    borrower = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    eventually(lambda: clock.advance(KEPT_AFTER) or pool.stats().connect_errors)
    assert not borrower.done()
    pool.give_back(kept)
    assert borrower.result(10).connection is kept.connection


def test_pool_doubles_where_all_stand_still() -> None:
    full = Full(None)
    busy(*full.leases)
    now, sizes = 100.0, []
    for _ in range(5):
        while full.look(now):
            busy(opened(full.ledger, Person()))
        sizes.append(len(full.ledger.slots))
        full.look(now)
        now += KEPT_AFTER
    assert sizes == [2, 4, 8, 16, 32]


def test_time_at_rest_is_no_keeping() -> None:
    full = Full(None, max_size=1)
    full.look(100.0)
    full.ledger.withdraw(full.waiter)
    [lease] = full.leases
    lease.rest(100.0)
    full.look(101.0)
    assert lease.resume()
    full.ledger.join(full.waiter)
    assert not full.look(101.0)


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_no_more_than_max_overflow(limit: int) -> None:
    full = Full(limit)
    now = 100.0
    for _ in range(10):
        if full.look(now):
            opened(full.ledger, Person())
        now += 1.0
    assert len(full.ledger.slots) == 2 + limit


def test_not_where_the_budget_of_all_pools_is_spent() -> None:
    full = Full(None)
    budget: Budget[Any] = Budget("server", 3, FakeClock())
    full.ledger.counted = budget, cast(Any, None)
    for slot in full.ledger.slots:
        budget.add(slot, cast(Any, None))
    full.look(100.0)
    assert full.look(101.0)
    opened(full.ledger, Person())
    full.look(102.0)
    assert not full.look(103.0)


def test_connection_at_rest_is_taken_before_another_is_opened() -> None:
    full = Full(None)
    full.look(100.0)
    opened(full.ledger, full.people[0]).rest(100.9)
    kept = [slot for slot in full.ledger.slots if slot.state is State.LENT]
    assert len(kept) == 2
    orders: Orders[Any] = full.ledger.settle(101.0)
    # Its lease was forgotten at once, so that nobody but its slot knows of it.
    assert full.waiter.lease is not None
    assert orders.wake == [full.waiter]


def test_those_who_all_wait_are_no_deadlock_where_more_may_be_opened() -> None:
    for limit, deadlocked in ((0, True), (1, False), (None, False)):
        full = Full(limit, max_size=1)
        both = Waiter(full.people[0].owner)
        full.ledger.join(both)
        assert full.ledger.deadlocked(both) is deadlocked, limit


@pytest.fixture
def overflowing(make_pool: Any, clock: Any, in_thread: Any, eventually: Any) -> tuple[Any, Any]:
    """A pool of one that has opened another, which is idle; and the lease of the first."""
    pool = make_pool(max_size=1, max_overflow=None)
    kept = pool.lease()
    borrower = in_thread(lambda: pool.give_back(pool.lease()))
    eventually(lambda: pool.stats().waiting == 1)
    clock.advance(KEPT_AFTER)
    borrower.result(10)
    assert pool.stats().size == 2
    return pool, kept


def test_who_needs_it_again_does_not_wait_again(
    overflowing: Any, clock: Any, in_thread: Any, eventually: Any
) -> None:
    pool, kept = overflowing
    use(kept)
    pool.discard(pool.lease(), Reason.LOST)
    assert pool.stats().size == 1
    borrower = in_thread(lambda: pool.give_back(pool.lease()))
    eventually(lambda: bool(pool.stats().size == 2 or pool.stats().waiting))
    waited = pool.stats().waiting
    clock.advance(KEPT_AFTER)
    eventually(lambda: clock.advance(KEPT_AFTER) or borrower.done())
    assert not waited


def test_pool_closes_what_nobody_has_needed_for_a_while(
    overflowing: Any, connector: Any, clock: Any
) -> None:
    pool, kept = overflowing
    clock.advance(ROOM_KEPT)
    pool.tidy()
    assert pool.stats().size == 2, "one that is kept does not count"
    use(kept)
    clock.advance(TIDY_PAUSE)
    pool.tidy()
    assert connector.living == [kept.connection]


def test_what_is_used_all_the_time_is_needed(overflowing: Any, clock: Any) -> None:
    pool, kept = overflowing
    for _ in range(30):
        clock.advance(UNUSED_FOR - 0.1)
        use(kept)
        assert pool.stats().size == 2
        pool.give_back(pool.lease())
    clock.advance(ROOM_KEPT)
    use(kept)
    pool.tidy()
    assert pool.stats().size == 1


def test_no_more_than_max_size_are_kept_for_nobody(overflowing: Any, connector: Any) -> None:
    pool, kept = overflowing
    pool.give_back(kept)
    assert pool.stats().size == 1
    assert connector.opened[0].closed


def test_no_more_than_max_size_are_left_at_rest(
    make_pool: Any, clock: Any, in_thread: Any, eventually: Any
) -> None:
    pool = make_pool(max_size=2, max_overflow=None)
    go_on, done = Event(), Barrier(7)

    def borrow() -> None:
        lease = pool.lease()
        go_on.wait(10)
        lease.rest()
        if not pool.leave(lease):
            pool.give_back(lease)
        done.wait(10)  # who ends leaves nothing at rest

    borrowers = [in_thread(borrow) for _ in range(6)]
    eventually(lambda: clock.advance(KEPT_AFTER / 5) or pool.stats().used == 6)
    go_on.set()
    done.wait(10)
    assert pool.stats().size <= 2 * 2 + 1
    for borrower in borrowers:
        borrower.result(10)


def test_pool_closes_what_rests_for_longest_with_an_owner_who_goes_on(
    overflowing: Any, connector: Any, clock: Any
) -> None:
    pool, kept = overflowing
    use(kept)
    kept.rest()
    clock.advance(ROOM_KEPT)
    pool.give_back(pool.lease())
    assert len(connector.living) == 1
    assert not kept.resume(), "it was recalled"


def test_chosen_max_size_is_kept_whatever_others_do(
    make_pool: Any, clock: Any, in_thread: Any, eventually: Any
) -> None:
    pool = make_pool(max_size=1, timeout=30.0)
    lease = pool.lease()
    borrower = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    for _ in range(30):
        clock.advance(1.0)
    with pytest.raises(PoolTimeout):
        borrower.result(10)
    assert pool.stats().size == 1
    pool.give_back(lease)
