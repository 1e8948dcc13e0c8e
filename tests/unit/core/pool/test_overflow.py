"""More connections than ``max_size``, where nobody has said that it is a limit."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Event, Thread
from typing import Any, cast

import pytest
from tests.unit.core.pool.test_ledger import Person, new_ledger, opened

from django_lifeline.core.events import Reason
from django_lifeline.core.options import pool_options
from django_lifeline.core.pool import refusals
from django_lifeline.core.pool.budget import Budget
from django_lifeline.core.pool.ledger import FULL_FOR, LEFT_FOR, ROOM_KEPT, UNUSED_FOR, Ledger
from django_lifeline.core.pool.outage import NoRoom
from django_lifeline.core.pool.pool import TIDY_PAUSE
from django_lifeline.core.pool.queueing import HEAD_PAUSE
from django_lifeline.core.pool.waiters import Waiter
from django_lifeline.exceptions import PoolTimeout
from django_lifeline.testing import FakeClock

NO_ROOM = NoRoom(RuntimeError("Too many connections"), 5.0)


class Full:
    """A ledger whose connections are all lent, and one borrower who waits."""

    def __init__(self, max_overflow: int | None, max_size: int = 2) -> None:
        self.ledger: Ledger[Any] = new_ledger(max_size, max_overflow=max_overflow)
        self.people = [Person() for _ in range(max_size)]
        self.leases = [opened(self.ledger, person) for person in self.people]
        self.waiter: Waiter[Any] = Waiter(Person().owner)
        self.ledger.join(self.waiter)

    def look(self, now: float) -> bool:
        """Whether the one who waits may open a connection, and has none by then."""
        self.ledger.settle(now)
        return self.ledger.may_open() and self.waiter.lease is None


def use(lease: Any, now: float | None = None) -> None:
    """It is at rest between two statements, where somebody else could have it."""
    lease.rest(now)
    assert lease.resume()


def test_nobody_waits_where_nobody_has_set_a_limit() -> None:
    full = Full(None)
    for size in range(2, 40):
        assert len(full.ledger.slots) == size
        assert full.look(100.0)
        opened(full.ledger, Person())


@pytest.mark.parametrize(
    ("max_overflow", "is_taken"),
    [(None, False), (0, True), (3, True)],
    ids=["no limit", "a limit", "a limit beyond"],
)
def test_who_is_not_done_with_his_keeps_it_where_another_may_be_opened(
    max_overflow: int | None, is_taken: bool
) -> None:
    """What a trigger has left in his session is there when he asks for it, as with stock."""
    full = Full(max_overflow)
    full.leases[0].rest(100.0)
    assert full.look(100.0) is not is_taken
    assert (full.waiter.lease is not None) is is_taken
    assert full.leases[0].resume() is not is_taken


@pytest.mark.parametrize(("pause", "is_taken"), [(LEFT_FOR - 0.1, False), (LEFT_FOR, True)])
def test_who_has_long_been_doing_nothing_loses_his_before_another_is_opened(
    pause: float, is_taken: bool
) -> None:
    full = Full(None)
    full.leases[0].rest(100.0)
    assert full.look(100.0 + pause) is not is_taken
    assert (full.waiter.lease is not None) is is_taken


def test_below_max_size_he_keeps_it(make_pool: Any, clock: Any, in_thread: Any) -> None:
    pool = make_pool(max_size=2, max_overflow=None)
    lease = pool.lease()
    lease.rest()
    clock.advance(10 * LEFT_FOR)
    in_thread(lambda: pool.give_back(pool.lease())).result(10)
    assert lease.resume()


def test_who_is_done_with_his_comes_before_another_is_opened() -> None:
    full = Full(None)
    full.leases[0].rest(100.0)
    full.leases[0].slot.returned = True
    assert not full.look(100.0)
    assert full.waiter.lease is not None


def test_where_the_server_has_no_room_it_is_taken_after_all() -> None:
    full = Full(None)
    full.ledger.found_full(100.0, NO_ROOM)
    assert not full.look(100.0)
    full.leases[0].rest(100.1)
    assert not full.look(100.1)
    assert full.waiter.lease is not None


def test_chosen_size_is_kept_however_long_somebody_waits() -> None:
    full = Full(0)
    assert not any(full.look(100.0 + 0.05 * number) for number in range(100))


def test_full_server_is_not_asked_for_more_for_a_while() -> None:
    full = Full(None)
    full.ledger.found_full(101.0, NO_ROOM)
    assert not full.look(101.0 + FULL_FOR - 0.01)
    assert full.look(101.0 + FULL_FOR)


def test_who_finds_the_server_full_is_served_in_turn(
    make_pool: Any, connector: Any, in_thread: Any, eventually: Any
) -> None:
    """One more than ``max_size`` was only to spare him the wait."""
    pool, kept, borrower = full_pool(make_pool, connector, in_thread, eventually)
    assert not borrower.done()
    pool.give_back(kept)
    assert borrower.result(10).connection is kept.connection


def full_pool(
    make_pool: Any, connector: Any, in_thread: Any, eventually: Any, **options: Any
) -> tuple[Any, ...]:
    """A pool at a full server, the lease of its only connection, and whoever waits for another."""
    options["arguments"] = {"full_for": lambda error: 5.0}
    pool = make_pool(max_size=1, max_overflow=None, timeout=30.0, **options)
    kept = pool.lease()
    connector.failures += [RuntimeError("Too many connections")] * 100
    borrower = in_thread(pool.lease)
    eventually(lambda: pool.stats().connect_errors)
    return pool, kept, borrower


def test_where_nothing_comes_free_at_a_full_server_its_word_is_passed_on(
    make_pool: Any, connector: Any, in_thread: Any, eventually: Any, clock: Any
) -> None:
    """Who has the others may be waiting for whoever waits here, as stock's would not."""
    pool, kept, borrower = full_pool(make_pool, connector, in_thread, eventually)
    clock.advance(5.0)
    with pytest.raises(RuntimeError, match="Too many connections"):
        borrower.result(10)
    assert (pool.stats().waiting, pool.stats().timeouts) == (0, 1)
    pool.give_back(kept)
    assert pool.lease().connection is kept.connection


def test_full_server_speaks_for_a_queue_that_is_full_too(
    make_pool: Any, connector: Any, in_thread: Any, eventually: Any
) -> None:
    parts = make_pool, connector, in_thread, eventually
    pool, kept, borrower = full_pool(*parts, max_waiting=1)
    with pytest.raises(RuntimeError, match="Too many connections"):
        in_thread(pool.lease).result(10)
    assert pool.stats().queue_full == 1
    pool.give_back(kept)
    borrower.result(10)


def test_full_server_is_waited_for_while_something_comes_free(
    make_pool: Any, connector: Any, in_thread: Any, eventually: Any, clock: Any
) -> None:
    pool, kept, borrower = full_pool(make_pool, connector, in_thread, eventually)
    for _ in range(7):
        clock.advance(4.0)
        kept.slot.rested_at = clock.monotonic()
        with pytest.raises(TimeoutError):
            borrower.result(3 * HEAD_PAUSE)
    clock.advance(4.0)
    kept.slot.rested_at = clock.monotonic()
    with pytest.raises(RuntimeError, match="Too many connections"):
        borrower.result(10)


@pytest.mark.parametrize(
    ("started", "rested", "stays"),
    [(0.0, None, True), (0.1, None, False), (0.0, 0.0, False), (-9.0, -0.1, True)],
)
def test_server_stays_full_where_nothing_came_free_while_somebody_waited(
    started: float, rested: float | None, stays: bool
) -> None:
    full = Full(None)
    assert full.ledger.stays_full(-100.0, 5.0) is None
    full.ledger.found_full(4.0, NO_ROOM)
    if rested is not None:
        full.leases[0].rest(rested)
    assert full.ledger.stays_full(started, 5.0) is (NO_ROOM if stays else None)
    opened(full.ledger, Person())
    assert full.ledger.stays_full(started, 5.0) is None


@pytest.mark.parametrize(("options", "limit"), [({}, 0), ({"max_size": 3}, 3)])
def test_pool_says_what_its_limit_is(options: dict[str, int], limit: int) -> None:
    assert pool_options(options).limit == limit
    both = pool_options({**options, "max_overflow": 2})
    assert both.limit == both.max_size + 2


def test_pool_without_a_limit_speaks_of_none(make_pool: Any) -> None:
    pool = make_pool(max_size=1, max_overflow=None, arguments={})
    stats = pool.stats()
    assert stats.max_size == 0
    assert "at most" not in str(refusals.timed_out(stats, 1.0, connects_fail=False))


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
    assert full.look(101.0)
    opened(full.ledger, Person())
    assert not full.look(103.0)


def test_those_who_all_wait_are_no_deadlock_where_more_may_be_opened() -> None:
    for limit, deadlocked in ((0, True), (1, False), (None, False)):
        full = Full(limit, max_size=1)
        both = Waiter(full.people[0].owner)
        full.ledger.join(both)
        assert full.ledger.deadlocked(both) is deadlocked, limit


@pytest.fixture
def overflowing(make_pool: Any, in_thread: Any) -> tuple[Any, Any]:
    """A pool of one that has opened another, which is idle; and the lease of the first."""
    pool = make_pool(max_size=1, max_overflow=None)
    kept = pool.lease()
    in_thread(lambda: pool.give_back(pool.lease())).result(10)
    assert pool.stats().size == 2
    return pool, kept


def test_pool_closes_what_nobody_has_needed_for_a_while(
    overflowing: Any, connector: Any, clock: Any
) -> None:
    pool, kept = overflowing
    clock.advance(ROOM_KEPT - 0.1)
    pool.tidy()
    assert pool.stats().size == 2
    clock.advance(0.1)
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


@pytest.mark.parametrize(
    ("most", "options", "kept"),
    [
        (9, {"max_overflow": None}, 9),
        (20, {"max_overflow": None}, 10),
        (0, {"max_overflow": None}, 1),
        (0, {"max_overflow": None, "min_size": 3}, 3),
        (1, {}, 10),
        (1, {"max_overflow": 5}, 10),
    ],
)
def test_fewer_are_kept_where_the_server_has_room_for_few(
    make_pool: Any, most: int, options: dict[str, Any], kept: int
) -> None:
    """Unless somebody has said how many."""
    pool = make_pool(max_size=10, **options)
    pool.keep_no_more_than(most)
    leases = [pool.lease() for _ in range(10)]
    for lease in leases:
        pool.give_back(lease)
    assert pool.stats().idle == kept


@pytest.mark.parametrize(
    ("own", "max_overflow", "left"),
    [(False, None, range(6)), (True, None, range(6, 7)), (True, 4, range(6))],
    ids=["nobody's", "his own", "a limit"],
)
def test_no_more_than_max_size_are_left_at_rest(
    make_pool: Any, in_thread: Any, eventually: Any, own: bool, max_overflow: int, left: range
) -> None:
    """Unless each is to stay its owner's, as with ``CONN_MAX_AGE``."""
    pool = make_pool(max_size=2, max_overflow=max_overflow)
    go_on, done, ends = Event(), Barrier(7), Event()

    def borrow() -> None:
        lease = pool.lease()
        go_on.wait(10)
        lease.rest()
        if not pool.leave(lease, own=own):
            pool.give_back(lease)
        done.wait(10)
        ends.wait(10)  # who ends leaves nothing at rest

    borrowers = [in_thread(borrow) for _ in range(6)]
    eventually(lambda: pool.stats().used == 6)
    go_on.set()
    done.wait(10)
    assert pool.stats().size in left
    ends.set()
    for borrower in borrowers:
        borrower.result(10)


def test_what_is_to_stay_its_owners_is_no_surplus(make_pool: Any, clock: Any) -> None:
    pool = make_pool(max_size=1, max_overflow=None)
    leases = [pool.lease() for _ in range(3)]
    for lease in leases:
        lease.rest()
        assert pool.leave(lease, own=True)
    clock.advance(ROOM_KEPT + LEFT_FOR)
    pool.tidy()
    assert all(lease.resume() for lease in leases)


def test_pool_closes_what_rests_for_longest_with_an_owner_who_goes_on(
    overflowing: Any, connector: Any, clock: Any
) -> None:
    pool, kept = overflowing
    pool.discard(pool.lease(), Reason.LOST)
    other = pool.lease()
    clock.advance(ROOM_KEPT)
    kept.rest()
    clock.advance(LEFT_FOR - TIDY_PAUSE)
    pool.tidy()
    assert len(connector.living) == 2, "he may be about to ask his session something"
    clock.advance(TIDY_PAUSE)
    pool.tidy()
    assert connector.living == [other.connection]
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


def crowd(pool: Any, size: int, *, leaves: bool = False) -> Callable[[], None]:
    """Threads that have each used a connection; return what lets them end."""
    there = Barrier(size + 1)

    def work() -> None:
        lease = pool.lease()
        lease.rest()
        there.wait(10)
        if leaves:
            assert pool.leave(lease, own=True)
        there.wait(10)

    threads = [Thread(target=work) for _ in range(size)]
    for thread in threads:
        thread.start()
    there.wait(10)

    def end() -> None:
        there.wait(10)
        for thread in threads:
            thread.join()

    return end


@pytest.mark.parametrize("leaves", [False, True], ids=["at rest", "at its end"])
def test_crowd_that_has_ended_leaves_no_more_than_are_kept(
    make_pool: Any, connector: Any, leaves: bool
) -> None:
    """Nobody else may come to look after them, and with stock none is left."""
    pool = make_pool(max_size=3, max_overflow=None)
    crowd(pool, 12, leaves=leaves)()
    assert len([it for it in connector.opened if not it.dead]) == 3
    stats = pool.stats()
    assert (stats.size, stats.idle + stats.used) == (3, 3)
    assert (stats.idle, stats.resting) == ((3, 0) if leaves else (0, 3))
    pool.tidy()
    assert [it.discarded for it in connector.opened] == [it.dead for it in connector.opened]
    assert len(pool.connections()) == 3


def test_as_many_are_left_as_others_use(make_pool: Any, connector: Any) -> None:
    """Where threads come and go, the next ones want them."""
    pool = make_pool(max_size=1, max_overflow=None)
    end = crowd(pool, 5)
    crowd(pool, 5)()
    assert len([it for it in connector.opened if not it.dead]) == 10
    end()
    assert len([it for it in connector.opened if not it.dead]) == 1


def test_crowd_keeps_what_a_budget_counts(make_pool: Any, connector: Any) -> None:
    """Whoever needs room finds it there: what is hung up would go on counting."""
    budget: Budget[Any] = Budget("server", 20, FakeClock())
    pool = make_pool(max_size=3, max_overflow=None, arguments={"budget": budget})
    crowd(pool, 12)()
    assert not any(it.dead for it in connector.opened)


def test_what_was_hung_up_is_lent_to_nobody(make_pool: Any, connector: Any) -> None:
    pool = make_pool(max_size=1, max_overflow=None)
    crowd(pool, 6)()
    leases = [pool.lease() for _ in range(3)]
    assert not any(lease.connection.dead for lease in leases)
    assert len({lease.connection.number for lease in leases}) == 3
