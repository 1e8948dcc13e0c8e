"""The only place that reads the time, so that tests can turn the clock themselves."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of monotonic seconds."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""


class SystemClock:
    """The machine's own monotonic clock."""

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)
