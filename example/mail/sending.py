"""What a sender does: claim a delivery, hand the mail over, store what became of it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from mail import claims, planning
from mail.handover import Outcome, hand_over
from mail.models import Delivery, State
from mail.rendering import Mistake, message
from pulse import note

logger = logging.getLogger(__name__)
T = TypeVar("T")

SMTP_TIMEOUT = 20.0
STORE_PATIENCE = 15.0
"""Seconds to go on trying to store an outcome while the database is away."""


def owner() -> str:
    """A name for this thread of this process."""
    return f"{os.getpid()}-{threading.get_ident() % 100_000}"


def do_round() -> None:
    """One round of a schedule: give up what expired, queue what is due."""
    now = timezone.now()
    claims.expire(now)
    planning.plan(now)
    note("round", who="schedule")


def send_all() -> int:
    """Send until nothing is left to claim; return how many were worked on."""
    count = 0
    while (delivery := claims.claim(owner(), timezone.now())) is not None:
        send(delivery)
        count += 1
    return count


def send(delivery: Delivery) -> None:
    """Send one claimed delivery."""
    try:
        mail = message(delivery)
    except Mistake as mistake:
        reason = str(mistake)
        store(lambda: claims.finish(delivery, State.FAILED, reason, timezone.now()))
        return
    if not store(lambda: claims.begin(delivery, timezone.now())):
        return  # Held up until the claim expired: somebody else has it.
    timeout = SMTP_TIMEOUT + delivery.schedule.slow_seconds
    outcome, reason = hand_over(mail, settings.SMTP_HOST, settings.SMTP_PORT, timeout)
    store(lambda: _note_outcome(delivery, outcome, reason))
    logger.info("Mail %s to %s: %s", delivery.pk, delivery.recipient.address, outcome.value)


def _note_outcome(delivery: Delivery, outcome: Outcome, reason: str) -> bool:
    now = timezone.now()
    if outcome is Outcome.NOT_TAKEN:
        return claims.try_later(delivery, delivery.attempts + 1, reason, now)
    states = {
        Outcome.TAKEN: State.SENT,
        Outcome.REFUSED: State.FAILED,
        Outcome.UNKNOWN: State.UNKNOWN,
    }
    return claims.finish(delivery, states[outcome], reason, now)


def store(change: Callable[[], T]) -> T:
    """Make a change that may safely be made twice, and try again while the database is away.

    Every site needs this for a server that restarts; no engine can store into one that is down.
    With the stock engine it does not help: the thread keeps its dead connection for ever.
    """
    give_up = time.monotonic() + STORE_PATIENCE
    while True:
        try:
            return change()
        except (OperationalError, InterfaceError):
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)
