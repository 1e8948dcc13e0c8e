"""``manage.py seed``: something to look at. Harmless to run again."""

import math
import random
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from mail.models import Recipient, Schedule, Template
from markets.models import Quote

PEOPLE = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Radia Perlman", "Edsger Dijkstra"]
TEMPLATES = {
    "Morning report": (
        "Your morning report: gold at {{ gold }}",
        "Good morning {{ name }},\n\nan ounce of gold costs {{ gold }} USD today.\n\n"
        "This mail was due at {{ due|date:'H:i' }}.\n\nautoemail",
    ),
    "Heartbeat": ("Still alive at {{ due|date:'H:i' }}", "Dear {{ name }},\n\nall is well.\n"),
}


class Command(BaseCommand):
    help = "Stores recipients, templates, schedules and half a year of gold prices."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if not Quote.objects.exists():
            Quote.objects.bulk_create(list(prices(date.today())))
        if not Schedule.objects.exists():
            store_schedules()


def prices(today: date, days: int = 200):
    """A price that wanders; the same one at every run."""
    chance = random.Random(1869)
    price = 2650.0
    for n in range(days):
        price += chance.gauss(1.4, 14) + 4 * math.sin(n / 11)
        day = today - timedelta(days=days - 1 - n)
        yield Quote(symbol="GOLD", day=day, price=Decimal(f"{price:.2f}"))


def store_schedules() -> None:
    people = [
        Recipient.objects.create(name=name, address=f"{name.split()[0].lower()}@example.org")
        for name in PEOPLE
    ]
    morning, heartbeat = (
        Template.objects.create(name=name, subject=subject, body=body)
        for name, (subject, body) in TEMPLATES.items()
    )
    daily, minute, cron = Schedule.Kind.DAILY, Schedule.Kind.EVERY, Schedule.Kind.CRON
    for count, schedule in (
        (5, Schedule(name="Morning report", template=morning, kind=daily, at=time(7))),
        (2, Schedule(name="Heartbeat", template=heartbeat, kind=minute, minutes=1)),
        (
            1,
            Schedule(
                name="Week’s end, slowly",
                template=morning,
                kind=cron,
                cron="0 17 * * 5",
                slow_seconds=4,
            ),
        ),
    ):
        schedule.plan_anew(timezone.now())
        schedule.save()
        schedule.recipients.set(people[:count])
