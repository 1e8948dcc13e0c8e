"""``manage.py run_schedule``: works until it is told to stop."""

import importlib
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from autoemail.stopping import listen, wait_until_told

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
        listen()
        stop = threading.Event()
        runner = threading.Thread(target=importlib.import_module(RUNNERS[name]).run, args=(stop,))
        runner.start()
        wait_until_told()
        stop.set()
        runner.join()
