"""What the engine tells of losses and of its pools, to the log and to whoever observes."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django_lifeline import exceptions
from django_lifeline.core.events import Event, Observer, PoolExhausted, tell
from django_lifeline.diagnosis.model import Diagnosis
from django_lifeline.diagnosis.recent import recent

logger = logging.getLogger("django_lifeline")

_TOLD_BY_THE_POOL = frozenset(
    {exceptions.POOL_TIMEOUT, exceptions.POOL_QUEUE_FULL, exceptions.POOL_DEADLOCK}
)


@dataclass(frozen=True, slots=True)
class Loss(Event):
    """Something was lost, or could not be had."""

    alias: str
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Restored(Loss):
    """A connection was lost and replaced, and the caller never knew."""


@dataclass(frozen=True, slots=True)
class Lost(Loss):
    """A connection was lost and the caller got an error that says so."""


@dataclass(frozen=True, slots=True)
class Refused(Loss):
    """A connection could not be had, or a statement was refused; the caller got the error."""


@dataclass(frozen=True, slots=True)
class FailoverFinished(Event):
    """The server took no writes any more, and one that does was found where its name leads."""

    alias: str
    old: str
    """What the server that was left calls itself, host and port; empty where it does not tell."""
    new: str
    """The same of the one that was found; it may be the old one, writable again."""
    seconds: float
    """From the first refused statement to this moment."""


_observers: list[Observer] = []


def observe(observer: Observer) -> None:
    """Have *observer* called with every event from now on; one that fails is logged."""
    if observer not in _observers:
        _observers.append(observer)


def publish(event: Event) -> None:
    """Log *event*, count it if it is a loss, and hand it to the observers."""
    _log(event)
    if isinstance(event, Loss):
        recent.note(
            alias=event.alias,
            pool=event.pool,
            healed=isinstance(event, Restored),
            diagnosis=event.diagnosis,
        )
    for observer in _observers:
        tell(observer, event)


def _log(event: Event) -> None:
    if isinstance(event, Restored):
        # Routine in a healthy system with idle times, so not for a log that people watch.
        _log_loss(logging.INFO, "Connection of %r replaced: %s", event)
    elif isinstance(event, Lost):
        _log_loss(logging.WARNING, "Connection of %r lost: %s", event)
    elif isinstance(event, Refused):
        told = event.diagnosis.evidence.get("code") in _TOLD_BY_THE_POOL
        _log_loss(logging.DEBUG if told else logging.WARNING, "Refused by %r: %s", event)
    elif isinstance(event, FailoverFinished):
        old, new = event.old or "an unknown one", event.new or "an unknown one"
        if event.new and event.new == event.old:
            what = f"finds that {new} takes writes again"
        else:
            what = f"follows the writable server from {old} to {new}, found"
        logger.warning("%r %s after %.2f s.", event.alias, what, event.seconds)
    elif isinstance(event, PoolExhausted):
        logger.warning("Pool %s exhausted: %r", event.pool, event)
    else:
        logger.debug("%r", event)


def _log_loss(level: int, text: str, event: Loss) -> None:
    """Write one record; its fields can be had one by one, by formatters for machines."""
    diagnosis = event.diagnosis
    fields = {
        "alias": event.alias,
        "pool": event.pool,
        "healed": isinstance(event, Restored),
        "cause": diagnosis.cause,
        "confidence": diagnosis.confidence.value,
        "alternatives": list(diagnosis.alternatives),
        "because": diagnosis.because,
        "label": diagnosis.label.value,
        "done": diagnosis.done.value,
        "evidence": dict(diagnosis.evidence),
        "page": diagnosis.page,
    }
    logger.log(level, text, event.alias, diagnosis, extra=fields)
