"""What the pool asks of a connection, and how long it keeps one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from django_lifeline.core.options import PoolOptions

DEFAULT_MAX_LIFETIME = 3600.0
DEFAULT_MAX_IDLE = 600.0


class PooledConnection(Protocol):
    """All that the pool knows of a connection."""

    @property
    def busy(self) -> bool:
        """Whether an exchange is unfinished: an answer may be on its way to the wrong reader."""

    def alive(self) -> bool:
        """Whether it looks usable, without a round trip. False means known to be dead."""

    def close(self) -> None:
        """End it politely. Never raises."""

    def discard(self) -> None:
        """End it without a word to the server. Never raises, never blocks; may come twice."""

    def hang_up(self, *, at_rest: bool = False) -> None:
        """Let the server see the end. Any thread may; never raises, never blocks, frees nothing.

        With ``at_rest`` nobody uses it: it is closed, which waits for no answer either.
        """


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long one connection is kept, in seconds."""

    max_lifetime: float = DEFAULT_MAX_LIFETIME
    max_idle: float = DEFAULT_MAX_IDLE

    @classmethod
    def of(cls, options: PoolOptions) -> Lifetimes:
        """What the options ask for, or the defaults."""
        return cls(
            DEFAULT_MAX_LIFETIME if options.max_lifetime is None else options.max_lifetime,
            DEFAULT_MAX_IDLE if options.max_idle is None else options.max_idle,
        )
