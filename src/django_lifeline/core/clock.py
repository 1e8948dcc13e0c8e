"""The only place that reads the time, so that tests can turn the clock themselves."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of monotonic seconds."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""


class SystemClock:
    """The machine's own monotonic clock."""

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)

    def sleep(self, seconds: float) -> None:
        """Sleep; looked up at the call, since gevent may have replaced it by then."""
        time.sleep(seconds)


def now() -> float:
    """Return the time of day as seconds since 1970, to tell people when something happened."""
    return time.time()
