"""Who may work on a delivery, and what becomes of it: all changes of its state.

    queued ──claim──▶ claimed ──begin──▶ sending ──finish──▶ sent, failed
      ▲                  │                   │
      └──── expired ─────┘                   └──expired──▶ unknown

A claim is a token with a deadline. Each later step names the token, so a sender that was held up
until its claim expired finds that the delivery is no longer its own, and sends nothing.

Up to ``begin`` nothing has reached the SMTP server, so an expired claim goes back to the queue.
After it nobody can know: the server may have taken the mail before the sender died. Such a
delivery becomes "outcome unknown" and is never sent again by a machine.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from mail.models import Delivery, State

ATTEMPTS = 5
PAUSE = 5.0
"""Seconds before a mail that could not be handed over is tried again; each time as long again."""


def claim(owner: str, now: datetime) -> Delivery | None:
    """Take the delivery that has waited longest; None if there is none to take."""
    with transaction.atomic():
        found = (
            Delivery.objects.select_for_update(skip_locked=True)
            .filter(state=State.QUEUED, not_before__lte=now)
            .order_by("not_before", "id")
            .first()
        )
        if found is None:
            return None
        found.state = State.CLAIMED
        found.claim = f"{owner}/{uuid.uuid4().hex[:12]}"
        found.deadline = _deadline(found, now)
        found.save(update_fields=["state", "claim", "deadline"])
    return found


def begin(delivery: Delivery, now: datetime) -> bool:
    """Note that the mail is about to be handed over; False if the claim has expired meanwhile.

    Doing it twice is harmless, so it can be repeated when an answer was lost.
    """
    changed = _mine(delivery, State.CLAIMED, State.SENDING).update(
        state=State.SENDING,
        started_at=now,
        subject=delivery.subject,
        deadline=_deadline(delivery, now),
    )
    return bool(changed)


def finish(delivery: Delivery, state: State, reason: str, now: datetime) -> bool:
    """Note how it ended. Also for one taken for unknown meanwhile: now it is known."""
    mine = _mine(delivery, State.CLAIMED, State.SENDING, State.UNKNOWN, state)
    return bool(mine.update(state=state, reason=reason[:300], finished_at=now))


def try_later(delivery: Delivery, attempts: int, reason: str, now: datetime) -> bool:
    """Put back what the SMTP server surely did not take; after some attempts it has failed.

    Also one taken for unknown meanwhile: now it is known.
    """
    if attempts >= ATTEMPTS:
        return finish(delivery, State.FAILED, f"{reason} ({attempts} attempts)", now)
    changed = _mine(delivery, State.CLAIMED, State.SENDING, State.UNKNOWN).update(
        state=State.QUEUED,
        claim="",
        finished_at=None,
        attempts=attempts,
        reason=reason[:300],
        not_before=now + timedelta(seconds=PAUSE * attempts),
    )
    return bool(changed)


def expire(now: datetime) -> int:
    """Deal with claims whose owner has not come back in time; return how many."""
    late = Delivery.objects.filter(deadline__lt=now)
    requeued = late.filter(state=State.CLAIMED).update(state=State.QUEUED, claim="", not_before=now)
    unknown = late.filter(state=State.SENDING).update(
        state=State.UNKNOWN,
        finished_at=now,
        reason="The sender ended while it handed the mail over; it may have arrived.",
    )
    return requeued + unknown


def resend(deliveries: QuerySet[Delivery], now: datetime) -> int:
    """A person decided to send these again, at the risk of a second copy."""
    return deliveries.filter(state__in=[State.UNKNOWN, State.FAILED]).update(
        state=State.QUEUED,
        claim="",
        attempts=0,
        not_before=now,
        manual=True,
        reason="",
        started_at=None,
        finished_at=None,
    )


def mark_sent(deliveries: QuerySet[Delivery], who: str) -> int:
    """A person looked, and the mail had arrived."""
    return deliveries.filter(state=State.UNKNOWN).update(
        state=State.SENT, claim="", reason=f"marked as sent by {who}"[:300]
    )


def _deadline(delivery: Delivery, now: datetime) -> datetime:
    return now + timedelta(seconds=settings.CLAIM_SECONDS + delivery.schedule.slow_seconds)


def _mine(delivery: Delivery, *states: State) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk=delivery.pk, claim=delivery.claim, state__in=states)
