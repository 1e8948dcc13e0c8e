"""APScheduler: the same jobs in its thread pool."""

import threading

from apscheduler.schedulers.background import BackgroundScheduler
from django.conf import settings

from mail.runners import guarded
from mail.sending import do_round, send_all


def run(stop: threading.Event) -> None:
    """Work until *stop* is set."""
    scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"coalesce": True})
    every = {"trigger": "interval", "seconds": settings.SCHEDULE_ROUND, "misfire_grace_time": None}
    scheduler.add_job(_job(do_round), **every)
    for _ in range(settings.SENDERS):
        scheduler.add_job(_job(send_all), **every)
    scheduler.start()
    stop.wait()
    scheduler.shutdown()


def _job(work):
    def run_guarded() -> None:
        with guarded():
            work()

    return run_guarded
