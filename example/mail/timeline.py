"""What the public page shows of today."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone

from mail.models import Delivery, Schedule, State

ROWS = 60


def today() -> dict[str, Any]:
    """Counts by state, the latest deliveries, and the schedules with their next due time."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    deliveries = Delivery.objects.filter(due__gte=midnight, due__lt=midnight + timedelta(days=1))
    counts = dict(deliveries.values_list("state").annotate(Count("pk")).order_by())
    total = sum(counts.values())
    shown = deliveries.select_related("schedule", "recipient")[:ROWS]
    return {
        "cards": [
            ("sent", "sent", counts.get(State.SENT, 0)),
            ("queued", "waiting", sum(counts.get(state, 0) for state in WAITING)),
            ("failed", "failed", counts.get(State.FAILED, 0)),
            ("unknown", "outcome unknown", counts.get(State.UNKNOWN, 0)),
        ],
        "deliveries": shown,
        "left_out": max(0, total - ROWS),
        "schedules": Schedule.objects.annotate(size=Count("recipients")),
    }


WAITING = (State.QUEUED, State.CLAIMED, State.SENDING)
