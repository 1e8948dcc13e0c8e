"""Turns due schedules into queued deliveries. Any number of schedulers may do so at once."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from django.db import transaction

from mail.models import Delivery, Schedule
from mail.rules import due_times

logger = logging.getLogger(__name__)

AT_ONCE = 500
"""Due times of one transaction: a schedule that stood still for a year holds up nobody."""


def plan(now: datetime) -> int:
    """Queue what is due at *now*; return how many mails that may have been.

    A schedule that another scheduler is busy with is skipped. Should a scheduler die here, or the
    answer to its COMMIT be lost, then planning again does no harm: the unique key of a delivery
    lets none in twice.
    """
    due = Schedule.objects.filter(active=True, next_due__lte=now).values_list("pk", flat=True)
    return sum(plan_one(pk, now) for pk in list(due))


def plan_one(pk: int, now: datetime) -> int:
    """The same for one schedule. Should its rule make no sense, the others have their mail."""
    queued = 0
    try:
        while (more := _plan_some(pk, now)) is not None:
            queued += more
    except ValueError as error:
        logger.error("Schedule %s is not planned: %s", pk, error)
    return queued


@transaction.atomic
def _plan_some(pk: int, now: datetime) -> int | None:
    schedule = (
        Schedule.objects.select_for_update(skip_locked=True)
        .filter(pk=pk, active=True, next_due__lte=now)
        .first()
    )
    if schedule is None:
        return None
    rule = schedule.rule()
    times = list(islice(due_times(rule, schedule.next_due, now), AT_ONCE))
    schedule.next_due = rule.after(times[-1])
    if not schedule.make_up_all:
        # Only the last one counts, and there may be more to come.
        times = times[-1:] if schedule.next_due > now else []
    queued = queue(schedule, times, manual=False)
    schedule.save(update_fields=["next_due"])
    return queued


def queue(schedule: Schedule, times: Iterable[datetime], *, manual: bool) -> int:
    """Queue a mail for each of these times and each active recipient of the schedule."""
    recipients = list(schedule.recipients.filter(active=True))
    deliveries = [
        Delivery(
            schedule=schedule,
            recipient=recipient,
            due=due,
            manual=manual,
            message_id=f"<{uuid.uuid4().hex}@autoemail.example.org>",
        )
        for due in times
        for recipient in recipients
    ]
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    return len(deliveries)


def run_morning_job(now: datetime) -> int:
    """Queue every daily schedule now, whatever the time; return how many mails."""
    daily = Schedule.objects.filter(active=True, kind=Schedule.Kind.DAILY)
    return sum(queue(schedule, [now], manual=True) for schedule in daily)


def mails(count: int) -> str:
    """``"1 mail"``, ``"5 mails"``."""
    return f"{count} mail" if count == 1 else f"{count} mails"
