"""``manage.py run_schedule``: works until it is told to stop."""

import importlib
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

RUNNERS = {"thread": "mail.runners.thread", "apscheduler": "mail.runners.apscheduler"}


class Command(BaseCommand):
    help = "Runs the schedule as SCHEDULE_RUNNER says (thread or apscheduler)."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        name = settings.SCHEDULE_RUNNER
        if name not in RUNNERS:
            raise CommandError(
                f"SCHEDULE_RUNNER is {name!r}. This command runs {' and '.join(RUNNERS)}; for "
                "Celery: celery -A autoemail beat, and celery -A autoemail worker."
            )
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        importlib.import_module(RUNNERS[name]).run(stop)
