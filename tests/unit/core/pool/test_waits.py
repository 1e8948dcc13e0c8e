"""How long borrowers waited is told where somebody wants to know, and costs nothing elsewhere."""

import pytest

from django_lifeline.core.events import ConnectionOpened, LeaseWaited
from django_lifeline.core.pool import Pool


@pytest.fixture
def observed(monkeypatch):
    monkeypatch.setattr(Pool, "tells_waits", True)


def waits(events):
    return [event.seconds for event in events if isinstance(event, LeaseWaited)]


def test_borrower_who_connects_waited_as_long_as_that_took(observed, make_pool, connector, clock):
    events = []
    connector.before = lambda: clock.advance(3)
    make_pool(arguments={"emit": events.append}).lease()
    assert waits(events) == [3]
    assert isinstance(events[0], ConnectionOpened)


def test_borrower_who_found_an_idle_connection_did_not_wait(observed, make_pool):
    events = []
    pool = make_pool(arguments={"emit": events.append})
    pool.give_back(pool.lease())
    events.clear()
    pool.lease()
    assert events == []


def test_borrower_in_the_queue_waited_until_somebody_returned(
    observed, make_pool, clock, in_thread, eventually
):
    events = []
    pool = make_pool(arguments={"emit": events.append}, max_size=1, timeout=100)
    lease = pool.lease()
    events.clear()
    borrower = in_thread(pool.lease)
    eventually(lambda: len(pool.waiters) == 1)
    clock.advance(7)
    pool.give_back(lease)
    borrower.result(20)
    assert waits(events) == [7]


def test_waits_are_not_told_unless_somebody_asked(make_pool):
    events = []
    make_pool(arguments={"emit": events.append}).lease()
    assert waits(events) == []
