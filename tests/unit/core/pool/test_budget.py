"""One limit over several pools: who gives way, and who has to wait."""

from __future__ import annotations

import threading

import pytest

from django_lifeline.core.events import Reason
from django_lifeline.core.pool import Budget


class Shared:
    """Pools that share a budget, and connect as the engine does: first there must be room."""

    def __init__(self, make_pool, connector, clock, limit):
        self.budget = Budget("db:3306", limit, clock)
        self.connector = connector
        self.make_pool = make_pool
        self.told = []

    def pool(self, **options):
        given = {"budget": self.budget, "emit": self.told.append}
        return self.make_pool(arguments=given, **options)

    def lease(self, pool, seconds=0.0):
        return pool.lease(connect=lambda: self._connect(seconds))

    def use(self, pool):
        """Lend a connection and give it back; return it."""
        lease = self.lease(pool)
        pool.give_back(lease)
        return lease.connection

    def _connect(self, seconds):
        found = self.budget.make_room(seconds)
        if found is not None:
            found.pool.give_way(found.lease)
        return self.connector()

    def reasons(self):
        return [event.reason for event in self.told if hasattr(event, "reason")]


@pytest.fixture
def shared(make_pool, connector, clock):
    return lambda limit: Shared(make_pool, connector, clock, limit)


def test_below_the_limit_nobody_gives_way(shared):
    group = shared(3)
    for _ in range(3):
        group.use(group.pool())
    assert group.reasons() == []
    assert (group.budget.used, group.budget.spent) == (3, True)


def test_the_longest_idle_of_all_pools_gives_way(shared):
    group = shared(3)
    pools = [group.pool() for _ in range(3)]
    first, second, third = [group.use(pool) for pool in pools]
    group.use(pools[0])  # now it is the second's that nobody has used for longest
    newest = group.use(group.pool())
    assert [it.open for it in (first, second, third, newest)] == [True, False, True, True]
    assert group.reasons() == [Reason.GAVE_WAY]
    assert group.budget.used == 3


def test_the_longest_idle_is_told_apart_within_one_pool(shared):
    group = shared(3)
    busy = group.pool()
    leases = [group.lease(busy) for _ in range(2)]
    for lease in leases:
        busy.give_back(lease)
    other = group.use(group.pool())
    group.use(busy)  # takes the one that was given back last
    group.use(group.pool())
    assert [lease.connection.open for lease in leases] == [False, True]
    assert other.open


def test_lent_ones_do_not_give_way_and_who_comes_too_late_is_refused(shared):
    group = shared(1)
    holder, late = group.pool(), group.pool()
    lease = group.lease(holder)
    with pytest.raises(TimeoutError):
        group.lease(late)
    assert lease.connection.open
    assert (group.budget.used, group.budget.spent) == (1, True)
    holder.give_back(lease)
    assert group.use(late).open


def test_one_that_rests_gives_way_and_its_owner_leases_anew(shared):
    group = shared(1)
    holder, late = group.pool(), group.pool()
    lease = group.lease(holder)
    lease.rest()
    assert group.use(late).open
    assert not lease.resume()
    assert holder.stats().recalls == 1


def test_min_size_is_not_for_others(shared):
    group = shared(2)
    kept, surplus = group.pool(min_size=1), group.pool()
    first, second = group.use(kept), group.use(surplus)
    third = group.use(group.pool())
    assert [it.open for it in (first, second, third)] == [True, False, True]
    kept.close()


def test_upkeep_opens_nothing_beyond_the_limit(shared):
    group = shared(1)
    lease = group.lease(group.pool())
    pool = group.pool(min_size=1)
    assert pool.reserve(pool.owner()) is None
    assert lease.connection.open


def test_what_is_given_back_wakes_those_who_wait_in_their_order(
    shared, in_thread, eventually, clock
):
    group = shared(1)
    holder = group.pool()
    lease = group.lease(holder)
    order, go = [], threading.Event()

    def wait(number):
        mine = group.pool()
        got = group.lease(mine, seconds=20.0)
        order.append(number)
        if number == 1:
            go.wait(20)
        mine.give_back(got)

    waiting = []
    for number in (1, 2):
        waiting.append(in_thread(wait, number))
        eventually(lambda: len(group.budget._waiting) == number)  # noqa: B023
    holder.give_back(lease)
    eventually(lambda: order == [1])
    go.set()
    for future in waiting:
        future.result(20)
    assert order == [1, 2]
    assert group.budget.used == 1


def test_whatever_ends_the_wait_nothing_is_left_of_it(shared):
    group = shared(1)
    holder = group.pool()
    lease = group.lease(holder)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            group.lease(group.pool())
    assert not group.budget._waiting
    holder.give_back(lease)
    holder.drain()
    assert (group.budget.used, len(group.budget._slots), len(group.budget._idle)) == (0, 0, 0)


def test_connection_that_ends_leaves_nothing_behind(shared):
    group = shared(5)
    pool = group.pool()
    for _ in range(10):
        group.use(pool)
        pool.drain()
    assert (group.budget.used, len(group.budget._slots), len(group.budget._idle)) == (0, 0, 0)


def test_connection_that_moves_on_is_not_ended_and_counts_once(shared):
    group = shared(1)
    here, there = group.pool(), group.pool()
    connection = group.use(here)

    def take_over():
        found = group.budget.make_room(0.0)
        found.pool.part_with(found.lease)
        return found.lease.connection

    lease = there.lease(connect=take_over)
    assert lease.connection is connection and connection.open
    assert group.budget.used == 1
    assert (here.stats().size, here.stats().closed, there.stats().opened) == (0, 1, 1)
    assert group.reasons() == [Reason.MOVED]


def test_forked_child_counts_its_own_alone(shared):
    group = shared(1)
    pool = group.pool()
    group.use(pool)
    group.budget.start_over()
    pool.start_over_after_fork()
    assert group.budget.used == 0
    assert group.use(pool).open


def test_it_says_what_it_is(shared):
    group = shared(2)
    group.use(group.pool())
    assert repr(group.budget) == "<Budget 'db:3306': 1 of 2>"
