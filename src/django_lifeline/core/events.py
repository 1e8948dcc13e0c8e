"""What the pool tells whoever listens: plain frozen values, without secrets."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

logger = logging.getLogger(__name__)


class Reason(enum.Enum):
    """Why a connection was ended."""

    EXPIRED = "expired"
    """Its lifetime was over."""
    IDLE = "idle"
    """Nobody had used it for ``max_idle``."""
    RETIRED = "retired"
    """Its generation was retired, after a restart or a failover."""
    CLOSED = "closed"
    """Its borrower or its pool was done with it."""
    DIRTY = "dirty"
    """Its session carries state that the next borrower must not see."""
    DEAD = "dead"
    """The probe found it dead."""
    LOST = "lost"
    """A statement found it dead."""
    INTERRUPTED = "interrupted"
    """Something broke into an exchange, so an answer may still be on its way."""
    GAVE_WAY = "gave_way"
    """Another pool of its server needed a connection, and it had been idle longest."""
    MOVED = "moved"
    """The same, and it goes on there: it was not ended but got another database."""
    ABANDONED = "abandoned"
    """Its borrower ended, or forgot the lease, without giving it back."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in the pool of this name."""

    pool: str


@dataclass(frozen=True, slots=True)
class ConnectionOpened(Event):
    """A connection was opened; ``seconds`` is how long that took."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ConnectionClosed(Event):
    """A connection was ended."""

    reason: Reason
    connection: Any = field(default=None, repr=False, compare=False)
    """The connection as it was, for those who want to know why."""
    used_at: float = field(default=0.0, repr=False, compare=False)
    """When it was used last, in the pool's time."""


@dataclass(frozen=True, slots=True)
class ConnectFailed(Event):
    """A connection could not be opened; ``error`` is the type and number, never the text."""

    error: str


@dataclass(frozen=True, slots=True)
class LeaseRecalled(Event):
    """A resting lease was taken from its owner for somebody who was waiting."""


@dataclass(frozen=True, slots=True)
class LeaseWaited(Event):
    """A borrower found nothing idle and got a connection after ``seconds``, connecting included.

    Emitted only where ``Pool.tells_waits`` was set.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class PoolExhausted(Event):
    """A borrower went away without a connection; ``waiting`` others were in the queue."""

    waiting: int
    max_size: int
    """The most connections that the pool opens; 0 means no limit."""


Observer = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The observer of those who do not listen."""


def tell(observer: Observer, event: Event) -> None:
    """Hand the event over; an observer that fails is logged and otherwise ignored."""
    try:
        observer(event)
    except Exception:
        logger.exception("An observer of %s failed.", type(event).__name__)
