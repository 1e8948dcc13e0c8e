"""What a pool says of itself."""

from __future__ import annotations

from dataclasses import dataclass

KNOWN_FOR = 10.0
"""Seconds after a failed attempt to connect for which the server counts as away."""


@dataclass(slots=True)
class Counters:
    """What a pool counts. Changed under its lock."""

    lends: int = 0
    """Lends of the slots that are gone; a living slot counts its own."""
    opened: int = 0
    closed: int = 0
    discarded: int = 0
    connect_errors: int = 0
    recalls: int = 0
    timeouts: int = 0
    queue_full: int = 0
    waited: float = 0.0
    last_connect_error: str | None = None
    connects_fail: bool = False
    """Whether the latest attempt to connect failed."""
    failed_at: float = float("-inf")
    """When it did."""

    def away(self, now: float, answered_at: float) -> bool:
        """Whether the server is away, as far as is known; *answered_at*: its latest answer.

        Without another attempt that is not known any more after a while.
        """
        fresh = self.connects_fail and now - self.failed_at < KNOWN_FOR
        return fresh and answered_at <= self.failed_at


@dataclass(frozen=True, slots=True, repr=False)
class PoolStats:
    """A pool at one moment: first its present state, then what it counted since it began."""

    name: str
    min_size: int
    max_size: int
    """The most connections it opens, ``max_overflow`` among them; 0 means no limit."""
    size: int
    """Open connections, idle or used."""
    idle: int
    used: int
    """Connections with a borrower, resting ones and those being closed included."""
    resting: int
    waiting: int
    connecting: int
    lends: int
    opened: int
    closed: int
    """Ended politely."""
    discarded: int
    """Ended without a word to the server, because they were or might have been broken."""
    connect_errors: int
    recalls: int
    timeouts: int
    queue_full: int
    wait_ms_total: float
    """Milliseconds that borrowers spent in the queue."""
    last_connect_error: str | None
    """Type and number of the last error on connecting, never its text."""
    max_overflow: int = 0
    """How many of ``max_size`` are closed when they are not needed any more."""
    longest_wait: float = 0.0
    """Seconds for which the first in the queue has been waiting."""
    away: bool = False
    """Whether connecting failed a moment ago, and no connection has answered since."""

    def __repr__(self) -> str:
        limit = self.max_size or "no limit"
        error = f", last connect error {self.last_connect_error}" if self.last_connect_error else ""
        return (
            f"<PoolStats {self.name!r}: {self.size} open of {limit} "
            f"({self.idle} idle, {self.used} used, {self.resting} of them resting), "
            f"{self.connecting} connecting, {self.waiting} waiting; "
            f"{self.lends} lends, {self.opened} opened, {self.closed} closed, "
            f"{self.discarded} discarded, {self.recalls} recalls, {self.timeouts} timeouts, "
            f"{self.queue_full} queue full, {self.wait_ms_total:.0f} ms waited, "
            f"{self.connect_errors} connect errors{error}>"
        )


def name_error(error: BaseException) -> str:
    """The error's type and number; its text might hold a user name or worse."""
    number = error.args[0] if error.args else None
    if isinstance(number, int):
        return f"{type(error).__name__} {number}"
    return type(error).__name__
