"""``manage.py plan_chaos 8 25 1``: schedules for every minute, due since a minute ago."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from mail.models import Recipient, Schedule, Template


class Command(BaseCommand):
    help = "Stores schedules for example/chaos.py."

    def add_arguments(self, parser: CommandParser) -> None:
        for name in ("schedules", "recipients", "minutes"):
            parser.add_argument(name, type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        template = Template.objects.create(name="Chaos", subject="{{ due }}", body="{{ name }}")
        people = [
            Recipient.objects.create(name=f"Recipient {n}", address=f"r{n}@example.org")
            for n in range(options["recipients"])
        ]
        ago = timedelta(minutes=options["minutes"])
        for n in range(options["schedules"]):
            schedule = Schedule(
                name=f"Schedule {n}",
                template=template,
                kind=Schedule.Kind.EVERY,
                minutes=1,
                make_up_all=True,
                slow_seconds=n % 4,
            )
            schedule.plan_anew(timezone.now() - ago)
            schedule.save()
            schedule.recipients.set(people)
