"""The errors of a pool that has no connection to lend, with all that is known about why."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterable
from types import FrameType

from django_lifeline import exceptions
from django_lifeline.core.pool.slot import C
from django_lifeline.core.pool.stats import PoolStats
from django_lifeline.core.pool.waiters import Waiter

PASSED_THROUGH = frozenset({"django_lifeline", "django", "asgiref", "gevent", "threading"})
"""Packages through which a call comes here, and whose lines say nothing about who waits."""
PLACES = 3
"""How many lines of each waiting thread's stack a deadlock's message shows."""


def timed_out(stats: PoolStats, waited: float, *, connects_fail: bool) -> exceptions.PoolTimeout:
    """Nothing became free in time."""
    return exceptions.PoolTimeout(
        exceptions.POOL_TIMEOUT,
        f"No connection within {waited:.1f} s from pool {stats.name!r}: {_state(stats)}. "
        f"{_cause(stats, connects_fail)}",
    )


def budget_spent(
    stats: PoolStats, waited: float, budget: str, limit: int
) -> exceptions.PoolTimeout:
    """All pools of the server together have as many connections as they may."""
    return exceptions.PoolTimeout(
        exceptions.POOL_TIMEOUT,
        f"No connection within {waited:.1f} s from pool {stats.name!r}: {_state(stats)}. All "
        f"{limit} connections to {budget} that 'max_connections' allows this process are in use, "
        "by whichever databases. Look for slow statements and for borrowers that keep a "
        "connection while they do something else, or raise 'max_connections'.",
    )


def queue_full(stats: PoolStats, max_waiting: int) -> exceptions.PoolQueueFull:
    """The queue is as long as it may get."""
    return exceptions.PoolQueueFull(
        exceptions.POOL_QUEUE_FULL,
        f"{max_waiting} borrowers wait for pool {stats.name!r} already: {_state(stats)}. "
        "Raise 'max_size', or 'max_waiting' if the queue is wanted.",
    )


def closed(name: str, closed_by: str) -> exceptions.PoolClosed:
    """The pool is closed for good; ``closed_by`` is what `caller` said when it was."""
    return exceptions.PoolClosed(
        exceptions.POOL_CLOSED,
        f"Pool {name!r} is closed and lends no more connections: close() was called by "
        f"{closed_by}. End the work that uses this pool before that, or call drain(), which "
        "closes the connections and lets the pool go on.",
    )


def caller() -> str:
    """Which thread of the application makes the call that led here, and where."""
    return f"thread {threading.current_thread().name} at {place()}"


def place() -> str:
    """Where the application makes the call that led here."""
    return " < ".join(_lines(sys._getframe()))


def deadlock(stats: PoolStats, waiters: Iterable[Waiter[C]]) -> exceptions.PoolDeadlock:
    """All connections are held by borrowers that wait for another one."""
    places = "; ".join(f"{waiter.owner.name} at {waiter.place}" for waiter in waiters)
    return exceptions.PoolDeadlock(
        exceptions.POOL_DEADLOCK,
        f"Every connection of pool {stats.name!r} is held by a borrower that waits for another "
        f"one here ({_state(stats)}): {places}. Use one connection per borrower at a time, or "
        "raise 'max_size' above the number of borrowers that need two.",
    )


def _state(stats: PoolStats) -> str:
    error = stats.last_connect_error
    limit = f" of at most {stats.max_size}" if stats.max_size else ""
    return (
        f"{stats.size} open{limit}, {stats.idle} idle, {stats.used} used "
        f"({stats.resting} resting), {stats.connecting} connecting, {stats.waiting} waiting, "
        f"last connect error: {error or 'none'}"
    )


def _cause(stats: PoolStats, connects_fail: bool) -> str:
    if connects_fail:
        return "Connecting fails: check that the database is up and lets this host in."
    if not stats.max_size:
        return "Nothing limits the pool, so connecting takes long: ask the server and the network."
    return (
        "All connections are in use: look for slow statements and for borrowers that keep a "
        "connection while they do something else, or raise 'max_size'."
    )


def _lines(frame: FrameType) -> list[str]:
    """The innermost lines of the application, the place of the call first."""
    lines = [
        f"{current.f_code.co_filename}:{number} in {current.f_code.co_name}"
        for current, number in traceback.walk_stack(frame)
        if current.f_globals.get("__name__", "").partition(".")[0] not in PASSED_THROUGH
    ]
    return lines[:PLACES] or ["place unknown"]
