"""Helpers for tests: a clock to turn by hand, connections without a server.

Public: use them to test code that is built on the pool.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable


class FakeClock:
    """A clock that stands still until it is told to advance."""

    def __init__(self, now: float = 1000.0) -> None:
        self._now = now

    def monotonic(self) -> float:
        """The present time, in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    sleep = advance


class FakeConnection:
    """A connection without a server; a test sets ``dead`` and ``busy``, and reads the rest."""

    def __init__(self, number: int = 1) -> None:
        self.number = number
        self.dead = False
        self.busy = False
        self.closed = False
        """Ended politely."""
        self.discarded = False
        """Ended without a word."""

    @property
    def open(self) -> bool:
        """Whether nobody has ended it yet."""
        return not (self.closed or self.discarded)

    def alive(self) -> bool:
        """Whether it is open and not ``dead``."""
        return self.open and not self.dead

    def close(self) -> None:
        """Note the polite end."""
        self.closed = True

    def discard(self) -> None:
        """Note the abrupt end."""
        self.discarded = True

    def hang_up(self, *, at_rest: bool = False) -> None:
        """Let the other side see the end: from now on it is ``dead``."""
        self.dead = True

    def __repr__(self) -> str:
        return f"<FakeConnection {self.number}>"


class FakeConnector:
    """Opens `FakeConnection`s: call it, or pass it where something wants to be told how.

    ``opened`` lists them all. ``failures`` holds the errors that the next calls raise, in order.
    ``before`` is called at the start of every attempt, to hold it up or to look.
    """

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        self.opened: list[FakeConnection] = []
        self.failures: deque[BaseException] = deque()
        self.before = before
        self._numbers = itertools.count(1)

    def __call__(self) -> FakeConnection:
        """Open the next connection, or raise the next failure."""
        self.before()
        if self.failures:
            raise self.failures.popleft()
        connection = FakeConnection(next(self._numbers))
        self.opened.append(connection)
        return connection

    @property
    def living(self) -> list[FakeConnection]:
        """Those that nobody has ended."""
        return [connection for connection in self.opened if connection.open]
