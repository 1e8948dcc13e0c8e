"""What the engine tells of losses and of its pools, to the log and to whoever observes."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django_lifeline.core.events import Event, Observer, PoolExhausted, tell
from django_lifeline.diagnosis.model import Diagnosis

logger = logging.getLogger("django_lifeline")


@dataclass(frozen=True, slots=True)
class Restored(Event):
    """A connection was lost and replaced, and the caller never knew."""

    alias: str
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Lost(Event):
    """A connection was lost and the caller got an error that says so."""

    alias: str
    diagnosis: Diagnosis


_observers: list[Observer] = []


def observe(observer: Observer) -> None:
    """Have *observer* called with every event from now on; one that fails is logged."""
    if observer not in _observers:
        _observers.append(observer)


def publish(event: Event) -> None:
    """Log *event* and hand it to the observers."""
    _log(event)
    for observer in _observers:
        tell(observer, event)


def _log(event: Event) -> None:
    if isinstance(event, Restored):
        # Routine in a healthy system with idle times, so not for a log that people watch.
        logger.info("Connection of %r replaced: %s", event.alias, event.diagnosis)
    elif isinstance(event, Lost):
        logger.warning("Connection of %r lost: %s", event.alias, event.diagnosis)
    elif isinstance(event, PoolExhausted):
        logger.warning("Pool %s exhausted: %r", event.pool, event)
    else:
        logger.debug("%r", event)
