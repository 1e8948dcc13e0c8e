"""A server that is away: who tries, who is told, and how soon the next one may try."""

import threading

import pytest

from django_lifeline.core.events import Reason
from django_lifeline.core.pool.outage import FIRST_PAUSE, GROWERS, LONGEST_PAUSE, SLOW, Outage


class Refused(Exception):
    """What the fake server says when it does not let us in."""


AWAY, WRONG_PASSWORD = 2003, 1045


def is_away(error):
    return error.args[0] == AWAY


# The rule.


def test_one_quick_refusal_speaks_for_nobody_else():
    outage = Outage()
    assert not outage.failed(started=10.0, now=10.001)
    assert outage.failed(started=10.01, now=10.011)


def test_attempt_that_took_long_speaks_for_all_who_waited():
    assert Outage().failed(started=10.0, now=10.0 + SLOW)


def test_while_it_fails_one_tries_and_afterwards_twice_as_many_each_time():
    outage = Outage()
    outage.failed(1.0, 1.0)
    allowed = [outage.growers]
    for _ in range(3):
        outage.succeeded()
        allowed.append(outage.growers)
    assert allowed == [1, 2, 4, GROWERS]


def test_pauses_grow_to_a_limit_and_are_counted_from_the_beginning_of_an_attempt():
    outage = Outage(chance=lambda: 0.0)
    pauses = []
    for _ in range(20):
        outage.failed(started=0.0, now=0.0)
        pauses.append(outage.opens_from)
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    outage.failed(started=5.0, now=15.0)
    assert outage.opens_from < 15.0, "in a black hole nobody waits longer than an attempt"


def test_chance_takes_up_to_half_of_a_pause():
    outage = Outage(chance=lambda: 1.0)
    outage.failed(0.0, 0.0)
    assert outage.opens_from == FIRST_PAUSE / 2


def test_success_ends_the_pause():
    outage = Outage()
    outage.failed(0.0, 0.0)
    outage.succeeded()
    assert outage.opens_from == float("-inf")
    assert outage.failures == 0


# What the pool makes of it.


@pytest.fixture
def queued(make_pool, in_thread, eventually, connector, clock):
    """``queued(code, seconds)``: one connects and fails after so long; two wait behind him."""

    def make(code, seconds, before=lambda pool: None):
        pool = make_pool(max_size=3, arguments={"is_away": is_away})
        kept = before(pool)
        inside, go_on = threading.Event(), threading.Event()

        def hold_up():
            inside.set()
            go_on.wait(20)

        connector.before = hold_up
        connector.failures.append(Refused(code))
        pool._ledger.outage.growers = 1
        first = in_thread(pool.lease)
        assert inside.wait(20)
        others = [in_thread(pool.lease) for _ in range(2)]
        eventually(lambda: pool.stats().waiting == 2)
        clock.advance(seconds)
        go_on.set()
        with pytest.raises(Refused):
            first.result()
        return pool, others, kept

    return make


def test_those_who_waited_for_an_attempt_in_vain_have_its_error(queued, connector):
    pool, others, _ = queued(AWAY, seconds=SLOW)
    errors = [other.exception(20) for other in others]
    assert [error.args for error in errors] == [(AWAY,), (AWAY,)]
    assert errors[0] is not errors[1], "each with his own traceback"
    assert len(connector.opened) == 0
    assert pool.stats().connect_errors == 1
    assert pool.stats().timeouts == 0


def test_a_refused_account_is_tried_by_each(queued, connector):
    # The next one may come with another password.
    _, others, _ = queued(WRONG_PASSWORD, seconds=SLOW)
    assert [other.exception(20) for other in others] == [None, None]


def test_those_who_wait_go_on_waiting_where_another_connection_answered_just_now(queued, clock):
    def use(pool):
        lease = pool.lease()
        clock.advance(SLOW)
        lease.rest()
        assert lease.resume()
        return lease

    pool, others, kept = queued(AWAY, seconds=SLOW, before=use)
    pool.give_back(kept)
    clock.advance(1)
    assert [other.exception(20) for other in others] == [None, None]


def test_while_it_fails_no_attempt_begins_before_its_time(make_pool, connector, clock):
    pool = make_pool(arguments={"is_away": is_away})
    connector.failures.append(Refused(AWAY))
    with pytest.raises(Refused):
        pool.lease()
    assert not pool._ledger.may_open()
    clock.advance(FIRST_PAUSE)
    pool.discard(pool.lease(), Reason.CLOSED)
    assert len(connector.opened) == 1


def test_beside_attempts_that_are_stuck_one_more_may_begin_each_second(
    make_pool, in_thread, eventually, connector, clock
):
    pool = make_pool(max_size=10, arguments={"is_away": is_away})
    go_on = threading.Event()
    connector.before = lambda: go_on.wait(20)
    borrowers = [in_thread(pool.lease) for _ in range(GROWERS + 2)]
    eventually(lambda: pool.stats().connecting == GROWERS and pool.stats().waiting == 2)
    clock.advance(SLOW)
    eventually(lambda: pool.stats().connecting == GROWERS + 1)
    assert pool.stats().waiting == 1
    go_on.set()
    assert [borrower.exception(20) for borrower in borrowers] == [None] * (GROWERS + 2)
