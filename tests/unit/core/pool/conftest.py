"""What the pool's tests share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from django_lifeline.core.options import PoolOptions
from django_lifeline.core.pool import Pool
from django_lifeline.testing import FakeClock, FakeConnection, FakeConnector

PATIENCE = 20.0
"""Seconds after which a test that waits for another thread gives up."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def connector() -> FakeConnector:
    return FakeConnector()


@pytest.fixture
def make_pool(clock: FakeClock, connector: FakeConnector) -> Iterator[Callable[..., Pool]]:
    """Make a pool on the fake clock; options by name, and the rest as ``Pool`` takes it."""
    pools = []

    def make(*, arguments: dict[str, Any] | None = None, **options: Any) -> Pool[FakeConnection]:
        given = {"clock": clock, **(arguments or {})}
        pool = Pool("default", PoolOptions(**options), connector, **given)
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.close()


@pytest.fixture
def in_thread() -> Iterator[Callable[..., Future]]:
    """Run a function in a thread of its own; the future has its result once it *ended*."""
    threads = []

    def run(function: Callable[..., Any], *args: Any) -> Future:
        future: Future = Future()

        def work() -> None:
            try:
                future.set_result(function(*args))
            except BaseException as error:
                future.set_exception(error)

        thread = threading.Thread(target=work, daemon=True)
        threads.append(thread)
        future.thread = thread
        thread.start()
        return future

    yield run
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until something that another thread does has happened."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.001)

    return wait
