"""The background rounds, gone by hand; and the thread that goes them."""

import gc
import threading
import weakref

import pytest

from django_lifeline.core.options import PoolOptions
from django_lifeline.core.pool import Pool, upkeep
from django_lifeline.core.pool.upkeep import go_round


class Refused(Exception):
    """What the fake server says when it does not let us in."""


def upkeep_threads():
    return [thread for thread in threading.enumerate() if thread.name == "lifeline-upkeep"]


@pytest.fixture(autouse=True)
def no_thread_is_left(eventually):
    yield
    gc.collect()
    eventually(lambda: not upkeep_threads())


def test_pool_without_upkeep_options_has_no_thread(make_pool):
    pool = make_pool()
    pool.give_back(pool.lease())
    assert upkeep_threads() == []


def test_first_lease_starts_the_thread_that_fills_the_pool(make_pool, eventually):
    pool = make_pool(min_size=3)
    assert upkeep_threads() == []
    lease = pool.lease()
    eventually(lambda: pool.stats().idle == 2)
    assert pool.stats().size == 3
    assert len(upkeep_threads()) == 1
    assert lease.connection.open


def test_all_pools_of_a_process_have_one_thread(make_pool, eventually):
    pools = [make_pool(min_size=1, keepalive=0.01) for _ in range(300)]
    for pool in pools:
        pool.give_back(pool.lease())
    assert len(upkeep_threads()) == 1
    for pool in pools:
        pool.close()
    eventually(lambda: not upkeep_threads())


def test_silent_pools_are_emptied_where_a_thread_is_allowed(make_pool, clock, eventually):
    quiet = [make_pool(upkeep=True, keepalive=0.01, max_idle=10.0) for _ in range(3)]
    for pool in quiet:
        pool.give_back(pool.lease())
    assert [pool.stats().size for pool in quiet] == [1, 1, 1]
    clock.advance(11)
    eventually(lambda: not any(pool.stats().size for pool in quiet))
    eventually(lambda: not upkeep_threads())  # there is nothing to look after any more
    lease = quiet[0].lease()
    assert len(upkeep_threads()) == 1
    quiet[0].give_back(lease)


def test_pings_do_not_keep_what_nobody_needs(make_pool, clock):
    pool = make_pool(min_size=1, keepalive=60.0, max_idle=100.0, arguments={"ping": bool})
    leases = [pool.lease() for _ in range(3)]
    for lease in leases:
        pool.give_back(lease)
    for _ in range(2):
        clock.advance(60)
        go_round(pool)
    assert pool.stats().size == 1


def test_what_an_ended_thread_has_left_is_ended_by_a_round(make_pool, in_thread):
    pool = make_pool(upkeep=True)
    lease = in_thread(pool.lease).result()
    go_round(pool)
    assert lease.connection.discarded
    assert pool.stats().size == 0


def test_close_ends_the_thread(make_pool, eventually):
    pool = make_pool(min_size=1)
    pool.give_back(pool.lease())
    assert len(upkeep_threads()) == 1
    pool.close()
    eventually(lambda: not upkeep_threads())


def test_forked_child_starts_a_thread_of_its_own(make_pool, eventually, monkeypatch):
    pool = make_pool(min_size=2, keepalive=0.01)
    pool.give_back(pool.lease())
    eventually(lambda: pool.stats().idle == 2)
    (before,) = upkeep_threads()
    monkeypatch.setattr(upkeep, "_current", (0, upkeep.current()))  # as a child sees it
    pool.start_over_after_fork()
    pool.give_back(pool.lease())
    eventually(lambda: pool.stats().idle == 2)
    eventually(lambda: len(upkeep_threads()) == 1 and before not in upkeep_threads())


def test_round_fills_up_to_min_size_and_no_further(make_pool, connector):
    pool = make_pool(min_size=2)
    go_round(pool)
    go_round(pool)
    assert (pool.stats().idle, len(connector.opened)) == (2, 2)


def test_round_replaces_what_is_worn_out(make_pool, connector, clock):
    pool = make_pool(min_size=2, max_lifetime=100.0, max_idle=1000.0)
    go_round(pool)
    clock.advance(100)
    go_round(pool)
    assert [connection.closed for connection in connector.opened] == [True, True, False, False]
    assert pool.stats().idle == 2


def test_round_pings_what_has_been_silent(make_pool, clock):
    pinged = []

    def ping(connection):
        pinged.append(connection)
        return not connection.dead

    pool = make_pool(min_size=2, keepalive=60.0, max_idle=100.0, arguments={"ping": ping})
    go_round(pool)
    clock.advance(59)
    go_round(pool)
    assert pinged == []
    clock.advance(1)
    go_round(pool)
    assert len(pinged) == 2
    go_round(pool)
    assert len(pinged) == 2
    clock.advance(60)  # idle for 120 s, but the server has heard of it 60 s ago
    assert pool.lease().connection in pinged


def test_connection_that_does_not_answer_is_replaced(make_pool, connector, clock):
    pool = make_pool(min_size=1, keepalive=60.0, arguments={"ping": lambda connection: False})
    go_round(pool)
    clock.advance(60)
    go_round(pool)
    assert connector.opened[0].discarded
    assert pool.stats().idle == 1
    assert connector.opened[1].open


def test_interrupted_ping_discards_the_connection(make_pool, connector, clock):
    def ping(connection):
        raise KeyboardInterrupt

    pool = make_pool(min_size=1, keepalive=60.0, arguments={"ping": ping})
    go_round(pool)
    clock.advance(60)
    with pytest.raises(KeyboardInterrupt):
        go_round(pool)
    assert connector.opened[0].discarded
    assert pool.stats().size == 0


def test_pinged_connection_goes_to_a_borrower_who_came_meanwhile(
    make_pool, clock, in_thread, eventually
):
    waiting = []

    def ping(connection):
        waiting.append(in_thread(pool.lease))
        eventually(lambda: pool.stats().waiting == 1)
        return True

    pool = make_pool(min_size=1, max_size=1, keepalive=60.0, arguments={"ping": ping})
    go_round(pool)
    (connection,) = pool.connections()
    clock.advance(60)
    go_round(pool)
    assert waiting[0].result().connection is connection


def test_failing_connect_of_a_round_leaves_no_slot_behind(make_pool, connector):
    pool = make_pool(min_size=1)
    connector.failures.append(Refused(2003))
    with pytest.raises(Refused):
        go_round(pool)
    assert (pool.stats().size, pool.stats().connecting) == (0, 0)


def test_failing_round_is_logged_and_the_next_one_comes(make_pool, connector, caplog, eventually):
    pool = make_pool(min_size=2, keepalive=0.01)
    lease = pool.lease()
    eventually(lambda: pool.stats().size == 2)
    connector.failures.append(Refused(2003))
    pool.retire_generation()
    eventually(lambda: pool.stats().size == 2 and pool.stats().connect_errors == 1)
    assert "Upkeep of pool 'default' failed" in caplog.text
    pool.give_back(lease)


def test_pool_lends_without_upkeep_where_no_thread_can_start(make_pool, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    pool = make_pool(min_size=2)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    lease = pool.lease()
    assert lease.connection.open
    assert pool.upkeep is None


def test_forgotten_pool_ends_its_thread(clock, connector, eventually):
    pool = Pool("default", PoolOptions(min_size=1, keepalive=0.01), connector, clock=clock)
    pool.give_back(pool.lease())
    forgotten = weakref.ref(pool)
    del pool
    eventually(lambda: gc.collect() >= 0 and forgotten() is None)
    eventually(lambda: not upkeep_threads())
