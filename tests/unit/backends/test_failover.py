"""What a target knows of the server that takes its writes, and one search at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.backends.fake_server import FACTS

from django_lifeline.backends import notices
from django_lifeline.backends.failover import Writer
from django_lifeline.backends.notices import FailoverFinished
from django_lifeline.backends.server import ServerFacts
from django_lifeline.core.options import LifelineOptions
from django_lifeline.core.pool import Lifetimes, Pool
from django_lifeline.testing import FakeClock


class Connection:
    """A living connection to a server that is writable or not."""

    busy = False

    def __init__(self, facts: ServerFacts, opened_at: float) -> None:
        self.facts = facts
        self.opened_at = opened_at

    def alive(self) -> bool:
        return True

    def close(self) -> None:
        pass

    discard = hang_up = close


def facts(port: int, read_only: int = 0) -> ServerFacts:
    return ServerFacts.from_row((*FACTS[:-10], read_only, 0, f"db:{port}", None, None, "", 151, 0))


OLD, DEMOTED, NEW = facts(1), facts(1, read_only=1), facts(2)


class Target:
    """A writer with its pool, and the server to which the name leads now."""

    def __init__(self, **options: Any) -> None:
        self.clock = FakeClock()
        self.leads_to = OLD
        self.pool: Pool[Any] = Pool(
            "shop",
            pool_options(),
            lambda: Connection(self.leads_to, self.clock.monotonic()),
            clock=self.clock,
            lifetimes=lambda connection: Lifetimes(),
        )
        chosen = LifelineOptions(**options)
        self.writer = Writer("shop", chosen, self.clock, lambda: self.pool)

    def lease(self) -> Any:
        lease = self.pool.lease()
        if lease.fresh:
            self.writer.look_at(lease)
        return lease


def pool_options() -> Any:
    from django_lifeline.core.options import PoolOptions

    return PoolOptions(max_size=5)


@pytest.fixture
def told() -> Iterator[list[FailoverFinished]]:
    heard: list[Any] = []
    notices.observe(heard.append)
    yield heard
    notices._observers.remove(heard.append)


@pytest.fixture
def target() -> Target:
    target = Target()
    target.writer.wrote(OLD, "default")
    return target


def moves(told: list[Any]) -> list[tuple[str, str]]:
    return [(each.old, each.new) for each in told if isinstance(each, FailoverFinished)]


def test_all_sessions_with_the_old_server_end(target: Target) -> None:
    idle, refused, lent = (target.lease() for _ in range(3))
    target.pool.give_back(idle)
    target.writer.leave(refused)
    assert target.pool.stats().idle == 0
    assert lent.slot.expires < target.clock.monotonic()
    target.pool.give_back(lent)
    assert target.pool.stats().idle == 0


def test_several_that_are_refused_tell_of_one_move(target: Target, told: list[Any]) -> None:
    first, second = target.lease(), target.lease()
    target.writer.leave(first)
    target.writer.leave(second)
    target.writer.found(NEW, "default")
    target.writer.found(NEW, "default")
    assert moves(told) == [("db:1", "db:2")]


def test_one_that_comes_late_tells_of_no_second_move(target: Target, told: list[Any]) -> None:
    first, late = target.lease(), target.lease()
    target.writer.leave(first)
    target.writer.found(NEW, "default")
    target.writer.leave(late)
    target.writer.found(NEW, "default")
    assert moves(told) == [("db:1", "db:2")]


def test_one_that_was_lent_during_the_search_tells_of_no_second_move(
    target: Target, told: list[Any]
) -> None:
    target.writer.leave(target.lease())
    target.leads_to = DEMOTED
    reads = target.lease()
    target.clock.advance(1)
    target.writer.found(NEW, "default")
    target.writer.leave(reads)
    target.writer.found(NEW, "default")
    assert moves(told) == [("db:1", "db:2")]


def test_session_that_came_to_a_demoted_server_serves_one_piece_of_work(target: Target) -> None:
    target.leads_to = DEMOTED
    lease = target.lease()
    target.pool.give_back(lease)
    assert target.pool.stats().idle == 0


def test_session_of_an_account_that_may_write_there_is_kept(target: Target) -> None:
    target.writer.wrote(DEMOTED, "default")
    target.leads_to = DEMOTED
    target.pool.give_back(target.lease())
    assert target.pool.stats().idle == 1


def test_write_that_goes_through_by_itself_ends_the_failover(
    target: Target, told: list[Any]
) -> None:
    target.writer.leave(target.lease())
    target.writer.wrote(NEW, "default")
    assert moves(told) == [("db:1", "db:2")]


def test_nobody_waits_again_after_a_search_in_vain(target: Target) -> None:
    target.writer.leave(target.lease())
    search = target.writer.search()
    assert search is not None
    with search.turn():
        while search.pauses():
            pass
    assert target.clock.monotonic() > 1009
    assert target.writer.search() is None
    target.clock.advance(1)
    once = target.writer.search()
    assert once is not None
    assert not once.pauses()


def test_one_searches_at_a_time(target: Target) -> None:
    target.writer.leave(target.lease())
    entered, over = threading.Event(), threading.Event()

    def first() -> None:
        with target.writer.turn(10):
            entered.set()
            over.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(10)
    free = target.writer._turn.acquire(blocking=False)
    over.set()
    thread.join()
    assert not free


def test_nobody_waits_for_a_turn_where_nothing_is_searched_for(target: Target) -> None:
    with target.writer.turn(10):
        thread = threading.Thread(target=lambda: others.append(target.writer._turn.acquire(False)))
        others: list[bool] = []
        thread.start()
        thread.join()
    assert others == [True]


@pytest.mark.parametrize(
    ("new", "text"),
    [
        ("db2:3306", "follows the writable server from db1:3306 to db2:3306, found after 0.40 s."),
        ("db1:3306", "finds that db1:3306 takes writes again after 0.40 s."),
    ],
)
def test_log_says_whether_it_is_another_server(
    caplog: pytest.LogCaptureFixture, new: str, text: str
) -> None:
    notices.publish(FailoverFinished("pool", "default", "db1:3306", new, 0.4))
    assert caplog.messages == [f"'default' {text}"]
