"""What every pool does, with and without pooling."""

import gc
import threading

import pytest

from django_lifeline.core.events import ConnectFailed, ConnectionClosed, ConnectionOpened, Reason
from django_lifeline.core.options import PoolOptions
from django_lifeline.core.pool import DirectPool, Lifetimes, Pool
from django_lifeline.exceptions import PoolClosed, PoolTimeout
from django_lifeline.testing import FakeClock, FakeConnector


@pytest.fixture
def connector():
    return FakeConnector()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(params=["pooled", "direct"])
def make(request, connector, clock):
    def make(**arguments):
        if request.param == "direct":
            return DirectPool("default", connector, clock=clock, **arguments)
        return Pool("default", PoolOptions(), connector, clock=clock, **arguments)

    return make


def test_lease_has_an_open_connection(make):
    pool = make()
    lease = pool.lease()
    assert lease.connection.open
    assert lease.fresh
    assert pool.connections() == [lease.connection]
    assert (pool.stats().size, pool.stats().used) == (1, 1)


def test_two_leases_never_share_a_connection(make):
    pool = make()
    one, two = pool.lease(), pool.lease()
    assert one.connection is not two.connection


def test_returned_lease_is_over(make):
    pool = make()
    lease = pool.lease()
    pool.give_back(lease)
    assert not lease.resume()
    pool.give_back(lease)
    pool.discard(lease, Reason.LOST)
    assert pool.stats().used == 0
    assert not lease.connection.discarded


def test_busy_connection_is_discarded_on_return(make):
    pool = make()
    lease = pool.lease()
    lease.connection.busy = True
    pool.give_back(lease)
    assert lease.connection.discarded
    assert pool.stats().discarded == 1


def test_discard_ends_the_connection_without_a_word(make):
    pool = make()
    lease = pool.lease()
    pool.discard(lease, Reason.LOST)
    assert lease.connection.discarded and not lease.connection.closed
    assert pool.stats().size == 0


def test_rest_and_resume_leave_the_connection_to_its_owner(make):
    pool = make()
    lease = pool.lease()
    assert lease.resume()
    lease.rest()
    assert lease.resume()
    lease.rest()
    pool.give_back(lease)
    assert not lease.resume()


def test_retired_generation_makes_a_lease_due(make):
    pool = make()
    lease = pool.lease()
    assert not lease.due
    pool.retire_generation(Reason.RETIRED)
    assert lease.due
    assert lease.connection.open
    pool.give_back(lease)
    assert lease.connection.closed


def test_lifetime_passed_makes_a_lease_due(make, clock):
    pool = make(lifetimes=lambda connection: Lifetimes(60.0, 60.0))
    lease = pool.lease()
    clock.advance(60)
    assert lease.due


def test_error_on_connecting_reaches_the_borrower(make, connector):
    heard = []
    pool = make(emit=heard.append)
    connector.failures.append(RuntimeError(1045, "secret"))
    with pytest.raises(RuntimeError):
        pool.lease()
    assert heard == [ConnectFailed("default", "RuntimeError 1045")]
    assert pool.stats().last_connect_error == "RuntimeError 1045"
    assert pool.stats().connect_errors == 1
    assert pool.lease().connection.open


def test_connection_whose_lifetimes_cannot_be_told_is_discarded(make, connector):
    def unknown(connection):
        raise RuntimeError(2013)

    pool = make(lifetimes=unknown)
    with pytest.raises(RuntimeError):
        pool.lease()
    assert connector.opened[0].discarded
    assert pool.stats().size == 0


def test_observer_hears_of_the_beginning_and_the_end(make):
    heard = []
    pool = make(emit=heard.append)
    pool.discard(pool.lease(), Reason.LOST)
    assert heard == [ConnectionOpened("default", 0.0), ConnectionClosed("default", Reason.LOST)]


def test_drained_pool_closes_what_comes_back_and_lends_on(make):
    pool = make()
    lease = pool.lease()
    pool.drain()
    pool.give_back(lease)
    assert lease.connection.closed
    assert pool.lease().connection.open


def test_closed_pool_lends_no_more(make):
    pool = make()
    lease = pool.lease()
    pool.close()
    with pytest.raises(PoolClosed, match="'default' is closed") as caught:
        pool.lease()
    assert isinstance(caught.value, PoolTimeout)
    assert caught.value.args[0] == 51904
    pool.give_back(lease)
    assert lease.connection.closed


def test_closed_pool_tells_who_closed_it_first_and_what_to_call_instead(make):
    def ends_the_worker(pool):
        pool.close()

    pool = make()
    in_another = threading.Thread(target=ends_the_worker, args=[pool], name="shutdown")
    in_another.start()
    in_another.join()
    pool.close()
    with pytest.raises(PoolClosed) as caught:
        pool.lease()
    message = caught.value.args[1]
    assert f"{__file__}:" in message
    assert "in ends_the_worker" in message
    assert "thread shutdown" in message
    assert "in test_closed_pool" not in message
    assert "drain()" in message


def test_child_starts_over_and_leaves_the_parents_connections_alone(make):
    pool = make()
    lease = pool.lease()
    pool.start_over_after_fork()
    assert not lease.resume()
    pool.give_back(lease)
    assert lease.connection.open
    assert pool.connections() == []
    assert pool.lease().connection is not lease.connection


@pytest.fixture
def small_heap():
    """Garbage collection that looks only at what the test makes."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("small_heap")
def test_leases_of_ended_threads_do_not_add_up(make, clock):
    pool = make()

    def borrow():
        pool.lease()

    for _ in range(30):
        thread = threading.Thread(target=borrow)
        thread.start()
        thread.join()
        clock.advance(1)
        gc.collect()
    assert pool.stats().size <= PoolOptions().max_size
    assert pool.lease(0).connection.open


def test_repr_names_the_pool(make):
    pool = make()
    lease = pool.lease()
    assert "'default': 1 open of" in repr(pool)
    assert lease.connection.open


def test_lease_left_at_rest_is_resumed_with_the_same_connection_or_given_back(make):
    pool = make()
    lease = pool.lease()
    connection = lease.connection
    lease.rest()
    if pool.leave(lease):
        assert pool.stats().used == 0
        assert lease.resume() and lease.connection is connection
        assert pool.stats().used == 1
    pool.give_back(lease)
    assert pool.stats().used == 0


def test_lease_given_back_at_rest_is_over(make):
    pool = make()
    lease = pool.lease()
    lease.rest()
    pool.give_back(lease)
    assert not lease.resume()
    assert pool.stats().used == 0
