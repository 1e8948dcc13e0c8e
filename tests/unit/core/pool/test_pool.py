"""Lending, returning, growing, and what ends a connection."""

import gc
import random
import threading
from collections import deque

import pytest

from django_lifeline.core.events import (
    ConnectFailed,
    ConnectionClosed,
    ConnectionOpened,
    LeaseRecalled,
    PoolExhausted,
    Reason,
)
from django_lifeline.core.pool import Lifetimes, Pool, queueing
from django_lifeline.exceptions import PoolClosed, PoolDeadlock, PoolQueueFull, PoolTimeout
from django_lifeline.testing import FakeClock


class Refused(Exception):
    """What the fake server says when it does not let us in."""


def balance(pool):
    stats = pool.stats()
    return stats.size, stats.idle, stats.used, stats.waiting, stats.connecting


def test_first_lease_opens_a_connection(make_pool, connector):
    pool = make_pool()
    lease = pool.lease()
    assert lease.connection is connector.opened[0]
    assert lease.fresh
    assert balance(pool) == (1, 0, 1, 0, 0)


def test_returned_connection_is_lent_again(make_pool, connector):
    pool = make_pool()
    first = pool.lease()
    pool.give_back(first)
    second = pool.lease()
    assert second.connection is first.connection
    assert not second.fresh
    assert len(connector.opened) == 1
    assert pool.stats().lends == 2


def test_last_returned_is_lent_first(make_pool):
    pool = make_pool()
    one, two = pool.lease(), pool.lease()
    pool.give_back(one)
    pool.give_back(two)
    assert pool.lease().connection is two.connection


def test_second_return_of_a_lease_changes_nothing(make_pool):
    pool = make_pool()
    lease = pool.lease()
    pool.give_back(lease)
    pool.give_back(lease)
    pool.discard(lease, Reason.LOST)
    assert balance(pool) == (1, 1, 0, 0, 0)
    other = pool.lease()
    pool.give_back(lease)
    assert balance(pool) == (1, 0, 1, 0, 0)
    assert other.connection.open


def test_dead_idle_connection_is_replaced(make_pool, connector):
    pool = make_pool()
    lease = pool.lease()
    pool.give_back(lease)
    lease.connection.dead = True
    assert pool.lease().connection is connector.opened[1]
    assert connector.opened[0].discarded
    assert pool.stats().size == 1


def test_busy_connection_is_never_lent_again(make_pool, connector):
    pool = make_pool()
    lease = pool.lease()
    lease.connection.busy = True
    pool.give_back(lease)
    assert connector.opened[0].discarded
    assert pool.lease().connection is connector.opened[1]


def test_connection_that_becomes_busy_while_idle_is_not_lent(make_pool, connector):
    pool = make_pool()
    lease = pool.lease()
    pool.give_back(lease)
    lease.connection.busy = True
    assert pool.lease().connection is connector.opened[1]
    assert connector.opened[0].discarded


def test_discarded_connection_gives_its_slot_free(make_pool, connector):
    pool = make_pool(max_size=1)
    pool.discard(pool.lease(), Reason.LOST)
    assert connector.opened[0].discarded
    assert pool.lease().connection is connector.opened[1]


def test_lifetime_passed_while_lent_is_due_and_closed_on_return(make_pool, connector, clock):
    pool = make_pool(max_lifetime=100.0)
    lease = pool.lease()
    clock.advance(89)
    assert not lease.due
    clock.advance(11)
    assert lease.due
    pool.give_back(lease)
    assert connector.opened[0].closed
    assert pool.stats().size == 0


def test_idle_connection_past_its_lifetime_is_not_lent(make_pool, connector, clock):
    pool = make_pool(max_lifetime=100.0)
    pool.give_back(pool.lease())
    clock.advance(100)
    assert pool.lease().connection is connector.opened[1]
    assert connector.opened[0].closed


def test_connection_idle_too_long_is_not_lent(make_pool, connector, clock):
    pool = make_pool(max_idle=50.0)
    pool.give_back(pool.lease())
    clock.advance(50)
    assert pool.lease().connection is connector.opened[1]
    assert connector.opened[0].closed


def test_lifetimes_of_the_connection_beat_the_options(make_pool, connector, clock):
    pool = make_pool(arguments={"lifetimes": lambda connection: Lifetimes(10.0, 5.0)})
    pool.give_back(pool.lease())
    clock.advance(5)
    pool.give_back(pool.lease())
    assert len(connector.opened) == 2


def test_lifetime_is_shortened_by_up_to_a_tenth(make_pool, clock):
    pool = make_pool(max_lifetime=100.0, max_size=50, max_idle=1000.0)
    pool.random = random.Random(7)
    leases = [pool.lease() for _ in range(50)]
    clock.advance(89.9)
    assert not any(lease.due for lease in leases)
    clock.advance(5.1)
    assert 10 < sum(lease.due for lease in leases) < 40
    clock.advance(5)
    assert all(lease.due for lease in leases)


def test_surplus_idle_connections_are_closed_by_who_passes_by(make_pool, connector, clock):
    pool = make_pool(max_idle=50.0, max_size=5)
    leases = [pool.lease() for _ in range(5)]
    for lease in leases:
        pool.give_back(lease)
    for _ in range(6):
        clock.advance(20)
        pool.give_back(pool.lease())
    assert balance(pool) == (1, 1, 0, 0, 0)
    assert [connection.closed for connection in connector.opened] == [True] * 4 + [False]


def test_retired_generation_ends_idle_now_and_lent_on_return(make_pool, connector):
    pool = make_pool()
    lent, idle = pool.lease(), pool.lease()
    pool.give_back(idle)
    pool.retire_generation(Reason.RETIRED)
    assert idle.connection.closed
    assert lent.due
    assert lent.connection.open
    pool.give_back(lent)
    assert lent.connection.closed
    assert not pool.lease().due


def test_connection_of_a_retired_generation_is_not_lent(make_pool):
    pool = make_pool(max_size=1)
    lease = pool.lease()
    first = lease.connection
    pool.give_back(lease)
    pool.generation += 1  # as in the midst of `retire_generation`
    assert pool.lease().connection is not first


def test_dead_connections_of_a_retired_generation_are_discarded(make_pool):
    pool = make_pool()
    lease = pool.lease()
    pool.give_back(lease)
    lease.connection.dead = True
    pool.retire_generation(Reason.LOST)
    assert lease.connection.discarded


def test_error_on_connecting_goes_to_the_borrower_and_frees_the_slot(make_pool, connector):
    pool = make_pool(max_size=1)
    connector.failures.append(Refused(1040, "Too many connections for user 'secret'"))
    with pytest.raises(Refused):
        pool.lease()
    stats = pool.stats()
    assert stats.connect_errors == 1
    assert stats.last_connect_error == "Refused 1040"
    assert "secret" not in repr(stats)
    assert balance(pool) == (0, 0, 0, 0, 0)
    assert pool.lease().connection.open


def test_interrupt_while_connecting_frees_the_slot(make_pool, connector):
    pool = make_pool(max_size=1)
    connector.failures.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        pool.lease()
    assert balance(pool) == (0, 0, 0, 0, 0)
    assert pool.lease().connection.open


def test_connection_is_discarded_when_its_lifetimes_cannot_be_read(make_pool, connector):
    def unreadable(connection):
        raise Refused(2013)

    pool = make_pool(arguments={"lifetimes": unreadable})
    with pytest.raises(Refused):
        pool.lease()
    assert connector.opened[0].discarded
    assert balance(pool) == (0, 0, 0, 0, 0)


def test_full_pool_times_out_with_the_facts(make_pool, in_thread, connector):
    pool = make_pool(max_size=2)
    connector.failures.append(Refused(2003, "no"))
    with pytest.raises(Refused):
        pool.lease()
    held, rested = pool.lease(), pool.lease()
    with pytest.raises(PoolTimeout) as caught:
        in_thread(pool.lease, 0).result()
    number, message = caught.value.args
    assert number == 51901
    for fact in ("'default'", "2 open of at most 2", "0 idle", "2 used", "1 waiting", "max_size"):
        assert fact in message
    assert "last connect error: Refused 2003" in message
    assert pool.stats().timeouts == 1
    assert balance(pool) == (2, 0, 2, 0, 0)
    assert held.connection.open and rested.connection.open


def test_timeout_while_connects_fail_points_at_the_database(
    make_pool, in_thread, eventually, connector
):
    pool = make_pool(max_size=1)
    connector.failures.append(Refused(2003))
    with pytest.raises(Refused):
        pool.lease()
    go_on = threading.Event()
    connector.before = lambda: go_on.wait(20)
    connecting = in_thread(pool.lease)
    eventually(lambda: pool.stats().connecting == 1)
    with pytest.raises(PoolTimeout, match="check that the database is up"):
        pool.lease(0)
    go_on.set()
    connecting.result()


def test_timeout_passes_by_the_pools_clock(make_pool, in_thread, eventually, clock):
    pool = make_pool(max_size=1, timeout=30.0)
    held = pool.lease()
    waiting = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    clock.advance(31)
    with pytest.raises(PoolTimeout, match=r"31\.0 s"):
        waiting.result()
    assert pool.stats().wait_ms_total == 31_000
    assert held.connection.open


def test_one_more_waiter_than_allowed_is_refused_at_once(make_pool, in_thread, eventually):
    pool = make_pool(max_size=1, max_waiting=1)
    held = pool.lease()
    waiting = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    with pytest.raises(PoolQueueFull) as caught:
        in_thread(pool.lease).result()
    assert caught.value.args[0] == 51902
    assert pool.stats().queue_full == 1
    pool.give_back(held)
    assert waiting.result().connection is held.connection


def test_waiters_are_served_in_order_of_arrival(make_pool, in_thread, eventually):
    pool = make_pool(max_size=1)
    served = []
    lease = pool.lease()

    def borrow(number):
        lease = pool.lease()
        served.append(number)
        pool.give_back(lease)

    for number in range(5):
        in_thread(borrow, number)
        eventually(lambda n=number: pool.stats().waiting == n + 1)
    pool.give_back(lease)
    eventually(lambda: len(served) == 5)
    assert served == [0, 1, 2, 3, 4]


def test_returned_connection_is_in_the_waiters_hand_at_once(make_pool, in_thread, eventually):
    pool = make_pool(max_size=1)
    held = pool.lease()
    waiting = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    pool.give_back(held)
    stats = pool.stats()
    assert (stats.waiting, stats.idle, stats.used) == (0, 0, 1)
    assert waiting.result().connection is held.connection


class Watched(deque):
    """The idle stack, where something happens right before and after a slot is put on it."""

    before = after = staticmethod(lambda: None)

    def append(self, slot):
        self.before()
        super().append(slot)
        self.after()


def test_who_queues_up_during_a_give_back_is_served_by_it(
    make_pool, in_thread, eventually, monkeypatch
):
    monkeypatch.setattr(queueing, "HEAD_PAUSE", 20)  # nobody looks again by itself
    pool = make_pool(max_size=1)
    held = pool.lease()
    waiting = []

    def somebody_queues_up():
        waiting.append(in_thread(pool.lease, 20))
        eventually(lambda: pool.stats().waiting == 1)

    pool._idle = pool._ledger.idle = Watched()
    pool._idle.before = somebody_queues_up
    pool.give_back(held)
    del pool._idle.before
    served = pool.stats().waiting == 0
    pool.settle()  # so that the waiter ends in any case
    waiting[0].result()
    assert served


def test_newcomer_does_not_overtake_a_waiter(make_pool, in_thread, eventually):
    pool = make_pool(max_size=1)
    held = pool.lease()
    waiting = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    with pool._lock:  # whoever returns now is held up before it can look for waiters
        returning = in_thread(pool.give_back, held)
        eventually(lambda: pool.stats().idle == 1)
        with pytest.raises(PoolTimeout):
            pool.lease(0)
    returning.result()
    assert waiting.result().connection is held.connection


def test_newcomer_leaves_what_was_just_returned_to_the_queue(make_pool, in_thread, eventually):
    pool = make_pool(max_size=1)
    held = pool.lease()
    waiting, refused = [], []

    def somebody_queues_up():
        waiting.append(in_thread(pool.lease, 20))
        eventually(lambda: pool.stats().waiting == 1)

    def newcomer_asks():
        del pool._idle.before, pool._idle.after
        with pytest.raises(PoolTimeout):
            pool.lease(0)
        refused.append(True)

    pool._idle = pool._ledger.idle = Watched()
    pool._idle.before, pool._idle.after = somebody_queues_up, newcomer_asks
    pool.give_back(held)
    assert refused == [True]
    assert waiting[0].result().connection is held.connection


def test_connection_handed_to_one_who_gives_up_goes_to_the_next(make_pool, in_thread):
    def return_it(event):
        if isinstance(event, PoolExhausted):  # the waiter is about to leave, still queued
            pool.give_back(held)

    pool = make_pool(max_size=1, arguments={"emit": return_it})
    held = pool.lease()
    with pytest.raises(PoolTimeout):
        in_thread(pool.lease, 0).result()
    assert pool.stats().idle == 1
    assert pool.lease(0).connection is held.connection


class SlowClock(FakeClock):
    """A clock by which everything takes long."""

    def monotonic(self):
        self.advance(0.02)
        return super().monotonic()


def test_dead_connection_handed_over_is_replaced_without_losing_the_place(
    make_pool, in_thread, eventually, connector
):
    pool = make_pool(max_size=1, arguments={"clock": SlowClock()})
    held = pool.lease()
    waiting = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    held.connection.dead = True
    pool.give_back(held)
    assert waiting.result().connection is connector.opened[1]
    assert connector.opened[0].discarded


def test_connection_handed_over_while_warm_is_not_probed(make_pool, in_thread, eventually):
    pool = make_pool(max_size=1)
    held = pool.lease()
    waiting = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    held.connection.alive = None
    pool.give_back(held)
    assert waiting.result().connection is held.connection
    del held.connection.alive


def test_connection_retired_during_the_hand_over_is_replaced(
    make_pool, in_thread, eventually, connector
):
    given_back = threading.Event()

    class Retiring(FakeClock):
        """Retires the generation when the waiter, awake again, asks for the time."""

        def monotonic(self):
            if given_back.is_set() and threading.current_thread() is not threading.main_thread():
                given_back.clear()
                pool.retire_generation()
            return super().monotonic()

    pool = make_pool(max_size=1, arguments={"clock": Retiring()})
    held = pool.lease()
    waiting = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    with pool._lock:  # lets the waiter not look by itself meanwhile
        given_back.set()
        pool.give_back(held)
    assert waiting.result().connection is connector.opened[1]
    assert held.connection.closed


def test_failed_connect_lets_the_next_waiter_connect(make_pool, in_thread, eventually, connector):
    pool = make_pool(max_size=1)
    inside, go_on = threading.Event(), threading.Event()

    def hold_up():
        inside.set()
        go_on.wait(20)

    connector.before = hold_up
    connector.failures.append(Refused(2003))
    first = in_thread(pool.lease)
    assert inside.wait(20)
    second = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    go_on.set()
    with pytest.raises(Refused):
        first.result()
    assert second.result().connection.open


def test_only_some_borrowers_connect_at_the_same_time(make_pool, in_thread, eventually, connector):
    pool = make_pool(max_size=10)
    go_on = threading.Event()
    connector.before = lambda: go_on.wait(20)
    borrowers = [in_thread(pool.lease) for _ in range(10)]
    eventually(lambda: pool.stats().connecting == 4 and pool.stats().waiting == 6)
    go_on.set()
    assert len({future.result().connection for future in borrowers}) == 10


def test_waiter_takes_a_returned_connection_while_another_connects(
    make_pool, in_thread, eventually, connector
):
    pool = make_pool(max_size=2)
    held = pool.lease()
    go_on = threading.Event()
    connector.before = lambda: go_on.wait(20)
    connecting = in_thread(pool.lease)
    eventually(lambda: pool.stats().connecting == 1)
    waiting = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    pool.give_back(held)
    assert waiting.result().connection is held.connection
    go_on.set()
    connecting.result()


def test_resting_lease_is_recalled_for_a_waiter(make_pool, in_thread):
    pool = make_pool(max_size=1)
    lease = pool.lease()
    lease.rest()
    assert pool.stats().resting == 1
    other = in_thread(pool.lease, 5).result()
    assert other.connection is lease.connection
    assert not other.fresh
    assert not lease.resume()
    pool.give_back(lease)
    assert pool.stats().used == 1
    assert pool.stats().recalls == 1


def test_resumed_lease_is_not_recalled(make_pool, in_thread):
    pool = make_pool(max_size=1)
    lease = pool.lease()
    lease.rest()
    lease.rest()
    assert lease.resume()
    assert lease.resume()
    with pytest.raises(PoolTimeout):
        in_thread(pool.lease, 0).result()
    assert pool.stats().resting == 0


def test_longest_at_rest_is_recalled_first(make_pool, in_thread, clock):
    pool = make_pool(max_size=3)
    leases = [pool.lease() for _ in range(3)]
    for lease in (leases[1], leases[0], leases[2]):
        lease.rest()
        clock.advance(1)
    in_thread(pool.lease).result()
    assert [lease.resume() for lease in leases] == [True, False, True]


def test_rest_hands_over_at_once_when_somebody_waits(make_pool, in_thread, eventually):
    pool = make_pool(max_size=1)
    lease = pool.lease()
    waiting = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    lease.rest()
    assert waiting.result().connection is lease.connection
    assert not lease.resume()


def test_connection_at_rest_too_long_is_replaced_when_recalled(
    make_pool, in_thread, clock, connector
):
    pool = make_pool(max_size=1, max_idle=50.0)
    lease = pool.lease()
    clock.advance(40)
    lease.rest()
    clock.advance(50)
    assert in_thread(pool.lease).result().connection is connector.opened[1]
    assert lease.connection.closed


def test_resting_lease_can_be_given_back(make_pool):
    pool = make_pool(max_size=1)
    lease = pool.lease()
    lease.rest()
    pool.give_back(lease)
    assert not lease.resume()
    again = pool.lease()
    assert again.connection is lease.connection
    again.rest()
    assert again.resume()


def test_forgotten_lease_gives_its_slot_back(make_pool, in_thread, connector):
    pool = make_pool(max_size=1)
    lease = pool.lease()
    connector.opened[0].busy = True
    del lease
    gc.collect()
    assert in_thread(pool.lease).result().connection is connector.opened[1]
    assert connector.opened[0].discarded


def test_forgotten_lease_lets_the_server_see_the_end_at_once(make_pool, connector):
    pool = make_pool(max_size=1)
    lease = pool.lease()
    del lease
    assert connector.opened[0].dead


def test_forgotten_lease_at_rest_or_given_back_leaves_its_connection_alone(make_pool, connector):
    pool = make_pool(max_size=2)
    resting, returned = pool.lease(), pool.lease()
    resting.rest()
    pool.give_back(returned)
    del resting, returned
    assert not any(connection.dead for connection in connector.opened)


def test_thread_that_ends_lets_the_server_see_the_end_of_what_it_held(
    make_pool, in_thread, connector
):
    pool = make_pool(max_size=2)

    def hold_one_and_rest_another():
        held, resting = pool.lease(), pool.lease()
        resting.rest()
        return held, resting

    future = in_thread(hold_one_and_rest_another)
    future.thread.join()
    held, resting = future.result()
    assert held.connection.dead and not resting.connection.dead


def test_forgotten_resting_lease_is_recalled_whole(make_pool, in_thread, connector):
    pool = make_pool(max_size=1)
    pool.lease().rest()
    gc.collect()
    assert in_thread(pool.lease).result().connection is connector.opened[0]


def test_ended_threads_give_their_slots_back(make_pool, in_thread, connector):
    pool = make_pool(max_size=3)
    kept = [in_thread(pool.lease) for _ in range(3)]
    for future in kept:
        future.thread.join()
    lease = pool.lease()
    assert lease.connection.open
    assert sum(connection.discarded for connection in connector.opened) == 3
    assert not any(future.result().resume() for future in kept)


def test_waiter_notices_that_a_thread_ended(make_pool, in_thread, eventually, connector):
    pool = make_pool(max_size=1)
    end = threading.Event()
    borrowed = []

    def borrow():
        borrowed.append(pool.lease())
        end.wait(20)

    holder = in_thread(borrow)
    eventually(lambda: len(borrowed) == 1)
    waiting = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    end.set()
    holder.thread.join()
    assert waiting.result().connection is connector.opened[1]
    assert connector.opened[0].discarded


def test_whoever_waited_in_vain_ends_what_was_silent_as_long(make_pool, clock, connector):
    pool = make_pool(max_size=5)
    used, answered, idle, resting, asked = (pool.lease() for _ in range(5))
    pool.give_back(idle)
    resting.rest()
    asked.rest(answers=True)
    clock.advance(5)
    pool.give_back(answered)
    clock.advance(1)
    pool.end_unheard(3)
    assert [it.closed for it in connector.opened] == [False, False, True, True, False]
    assert used.connection.open and not resting.resume() and asked.resume()


def test_busy_connection_in_the_garbage_of_an_ended_thread_gives_its_slot_back(
    make_pool, in_thread, connector
):
    pool = make_pool(max_size=1)

    def leave_unread():
        circle = [pool.lease()]
        circle[0].connection.busy = True
        circle.append(circle)  # as Django's wrappers

    gc.disable()
    try:
        in_thread(leave_unread).result()
        pool.lease(0)
    finally:
        gc.enable()
    assert [connection.discarded for connection in connector.opened] == [True, False]


def test_busy_connection_of_an_ended_thread_is_left_to_its_lease(make_pool, in_thread):
    pool = make_pool(max_size=1)
    future = in_thread(pool.lease)
    future.thread.join()
    lease = future.result()
    lease.connection.busy = True
    with pytest.raises(PoolTimeout):
        pool.lease(0)
    assert lease.connection.open


def test_slot_lost_between_two_hands_is_found_again(make_pool, clock, connector):
    pool = make_pool(max_size=1)
    pool.give_back(pool.lease())
    pool._idle.pop()  # what an exception right after the pop leaves behind
    clock.advance(1)
    with pytest.raises(PoolTimeout):
        pool.lease(0)
    clock.advance(1)
    assert pool.lease().connection is connector.opened[1]
    assert connector.opened[0].discarded


def test_second_lease_of_the_only_borrower_is_a_deadlock_told_at_once(make_pool):
    pool = make_pool(max_size=1)
    held = pool.lease()
    with pytest.raises(PoolDeadlock) as caught:
        pool.lease()
    number, message = caught.value.args
    assert number == 51903
    assert "MainThread" in message
    assert "test_second_lease_of_the_only_borrower" in message
    assert balance(pool) == (1, 0, 1, 0, 0)
    assert held.connection.open


def test_two_borrowers_who_wait_for_each_other_are_told_both_places(
    make_pool, in_thread, eventually
):
    pool = make_pool(max_size=2)
    here = pool.lease()
    borrowed = []

    def borrow_twice():
        borrowed.append(pool.lease())
        second = pool.lease()
        pool.give_back(second)
        pool.give_back(borrowed[0])

    other = in_thread(borrow_twice)
    eventually(lambda: pool.stats().waiting == 1)
    with pytest.raises(PoolDeadlock) as caught:
        pool.lease()
    assert "borrow_twice" in caught.value.args[1]
    assert "test_two_borrowers" in caught.value.args[1]
    pool.give_back(here)
    other.result()


def test_borrower_of_two_waits_when_somebody_else_can_return_one(make_pool, in_thread, eventually):
    pool = make_pool(max_size=2)
    borrowed = []

    def borrow_twice():
        borrowed.append(pool.lease())
        return pool.lease()

    here = pool.lease()
    other = in_thread(borrow_twice)
    eventually(lambda: pool.stats().waiting == 1)
    pool.give_back(here)
    assert other.result().connection is here.connection


def test_closed_pool_closes_idle_now_lent_on_return_and_lends_no_more(make_pool):
    pool = make_pool()
    lent, idle = pool.lease(), pool.lease()
    pool.give_back(idle)
    pool.close()
    assert idle.connection.closed
    assert lent.connection.open
    pool.give_back(lent)
    assert lent.connection.closed
    with pytest.raises(PoolClosed, match="is closed"):
        pool.lease()


def test_close_sends_the_waiters_away(make_pool, in_thread, eventually):
    pool = make_pool(max_size=1)
    held = pool.lease()
    waiting = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    pool.close()
    with pytest.raises(PoolClosed, match="is closed"):
        waiting.result()
    assert held.connection.open


def test_close_while_connecting_ends_the_new_connection(make_pool, in_thread, connector):
    pool = make_pool()
    connector.before = pool.close
    with pytest.raises(PoolClosed, match="is closed"):
        pool.lease()
    assert connector.opened[0].closed
    assert pool.stats().size == 0


def test_forked_child_starts_over_without_touching_old_connections_or_lock(
    make_pool, connector, in_thread
):
    pool = make_pool(max_size=3)
    lent, resting, idle = pool.lease(), pool.lease(), pool.lease()
    resting.rest()
    pool.give_back(idle)
    held, go_on = threading.Event(), threading.Event()

    def hold_the_lock():  # as a thread of the parent does at the moment of the fork
        with pool._lock:
            held.set()
            return go_on.wait(20)

    holder = in_thread(hold_the_lock)
    assert held.wait(20)
    assert set(pool.connections()) == set(connector.opened)
    pool.start_over_after_fork()
    assert not lent.resume()
    assert not resting.resume()
    pool.give_back(lent)
    pool.discard(resting, Reason.LOST)
    assert balance(pool) == (0, 0, 0, 0, 0)
    assert all(connection.open for connection in connector.opened)
    assert pool.lease().connection is connector.opened[3]
    go_on.set()
    assert holder.result()  # the child did not wait until its patience was over


def test_child_cannot_claim_what_rests_with_its_parent(make_pool):
    pool = make_pool(max_size=2)
    lease = pool.lease()
    lease.rest()
    pool.start_over_after_fork()
    assert not lease.stop_resting()
    assert pool.lease().connection is not lease.connection


def test_waiter_from_before_a_fork_queues_up_again(make_pool, in_thread, eventually, connector):
    pool = make_pool(max_size=1)
    held = pool.lease()
    waiting = in_thread(pool.lease)
    eventually(lambda: pool.stats().waiting == 1)
    pool.start_over_after_fork()
    assert waiting.result().connection is connector.opened[1]
    assert not held.resume()


def test_observer_hears_of_connections_and_recalls(make_pool, connector, in_thread):
    heard = []
    pool = make_pool(max_size=1, arguments={"emit": heard.append})
    connector.failures.append(Refused(2003))
    with pytest.raises(Refused):
        pool.lease()
    pool.lease().rest()
    in_thread(pool.lease).result()
    pool.discard(pool.lease(), Reason.LOST)
    assert heard == [
        ConnectFailed("default", "Refused 2003"),
        ConnectionOpened("default", 0.0),
        LeaseRecalled("default"),
        ConnectionClosed("default", Reason.ABANDONED),
        ConnectionOpened("default", 0.0),
        ConnectionClosed("default", Reason.LOST),
    ]


def test_failing_observer_does_not_break_the_pool(make_pool, caplog):
    def fail(event):
        raise ValueError("observer")

    pool = make_pool(arguments={"emit": fail})
    pool.discard(pool.lease(), Reason.LOST)
    assert pool.stats().discarded == 1
    assert "An observer of ConnectionOpened failed." in caplog.text


def test_exhausted_pool_tells_its_observer(make_pool, in_thread):
    heard = []
    pool = make_pool(max_size=1, arguments={"emit": heard.append})
    held = pool.lease()
    with pytest.raises(PoolTimeout):
        in_thread(pool.lease, 0).result()
    assert heard[-1] == PoolExhausted("default", waiting=1, max_size=1)
    assert held.connection.open


def test_repr_of_pool_and_lease_is_readable(make_pool):
    pool: Pool = make_pool(max_size=3)
    lease = pool.lease()
    assert "'default': 1 open of 3 (0 idle, 1 used" in repr(pool)
    assert repr(lease) == "<Lease of <Slot lent <FakeConnection 1>>>"
    pool.give_back(lease)
    assert repr(lease) == "<Lease of <Slot idle <FakeConnection 1>>, ended>"


def test_lease_left_at_rest_counts_as_idle_and_goes_to_the_next_borrower(make_pool):
    pool = make_pool(max_size=2)
    first = pool.lease()
    first.rest()
    assert (pool.stats().idle, pool.stats().used, pool.stats().resting) == (0, 1, 1)
    assert pool.leave(first)
    assert (pool.stats().idle, pool.stats().used, pool.stats().resting) == (1, 0, 0)
    second = pool.lease()
    assert second.connection is first.connection
    assert not first.resume()
    stats = pool.stats()
    assert (stats.opened, stats.recalls, stats.idle, stats.used) == (1, 0, 0, 1)


def test_lease_resumed_after_it_was_left_is_not_lent_to_another(make_pool):
    pool = make_pool(max_size=2)
    first = pool.lease()
    first.rest()
    assert pool.leave(first)
    assert first.resume()
    assert pool.lease().connection is not first.connection
    first.rest()  # between two statements: recalled in need only
    assert pool.stats().idle == 0
    assert pool.lease().connection is first.connection
    assert pool.stats().recalls == 1


def test_lease_that_does_not_rest_is_not_left(make_pool):
    pool = make_pool(max_size=1)
    lease = pool.lease()
    assert not pool.leave(lease)
    assert pool.stats().used == 1
    pool.give_back(lease)
    lease.rest()
    assert not pool.leave(lease)


def test_lease_past_its_connections_lifetime_is_not_left(make_pool, clock):
    pool = make_pool(max_size=1, max_lifetime=10)
    lease = pool.lease()
    clock.advance(11)
    lease.rest()
    assert not pool.leave(lease)
    pool.give_back(lease)
    assert pool.lease().connection is not lease.connection


def test_lease_left_for_too_long_is_not_lent_to_another(make_pool, clock):
    pool = make_pool(max_size=2, max_idle=10)
    lease = pool.lease()
    lease.rest()
    assert pool.leave(lease)
    clock.advance(11)
    assert pool.lease().connection is not lease.connection
    assert lease.connection.closed and not lease.connection.discarded


def test_lease_left_in_a_thread_that_ended_goes_to_the_next_borrower(make_pool, in_thread):
    pool = make_pool(max_size=2)

    def work():
        lease = pool.lease()
        lease.rest()
        pool.leave(lease)
        return lease.connection

    connection = in_thread(work).result()
    assert pool.lease().connection is connection


def test_leases_left_are_ended_with_the_idle_connections(make_pool, clock):
    pool = make_pool(max_size=3, max_idle=10)
    leases = [pool.lease() for _ in range(3)]
    for lease in leases:
        lease.rest()
        assert pool.leave(lease)
    clock.advance(11)
    passing = pool.lease()
    pool.give_back(passing)
    assert sum(lease.connection.open for lease in leases) == 0
    pool.drain()
    assert pool.stats().size == 0
    left = pool.lease()
    left.rest()
    assert pool.leave(left)
    pool.retire_generation()
    assert not left.connection.open
    assert not left.resume()


def test_waiter_gets_the_lease_that_is_left(make_pool, in_thread, eventually):
    pool = make_pool(max_size=1)
    lease = pool.lease()
    waiting = in_thread(pool.lease, 10)
    eventually(lambda: pool.stats().waiting == 1)
    lease.rest()
    assert waiting.result().connection is lease.connection
    assert not pool.leave(lease)


def test_child_does_not_get_what_its_parent_left(make_pool):
    pool = make_pool(max_size=2)
    lease = pool.lease()
    lease.rest()
    assert pool.leave(lease)
    pool.start_over_after_fork()
    assert not lease.resume()
    assert not pool.leave(lease)
    assert pool.lease().connection is not lease.connection


def test_recalled_lease_is_not_given_back_by_its_former_owner(make_pool):
    pool = make_pool(max_size=1)
    former = pool.lease()
    former.rest()
    present = pool.lease()
    pool.give_back(former)
    assert pool.stats().used == 1
    assert present.resume()


def test_resting_lease_whose_thread_ended_comes_before_a_new_connection(make_pool):
    pool = make_pool(max_size=5)
    leases = []

    def borrow_and_end():
        lease = pool.lease()
        lease.rest()
        leases.append(lease)

    thread = threading.Thread(target=borrow_and_end)
    thread.start()
    thread.join()
    lease = pool.lease()
    assert lease.connection is leases[0].connection
    assert pool.stats().opened == 1


def test_connection_of_a_thread_that_ended_in_a_transaction_is_ended_by_who_passes_by(
    make_pool, clock
):
    pool = make_pool(max_size=5)
    leases = []
    thread = threading.Thread(target=lambda: leases.append(pool.lease()))
    thread.start()
    thread.join()
    passer_by = pool.lease()
    clock.advance(2)
    pool.give_back(passer_by)
    assert leases[0].connection.discarded
    assert not leases[0].resume()
    assert not passer_by.connection.discarded
