"""Plain threads, as in the first report: one looks at the schedules, the others send."""

import threading

from django.conf import settings

from mail.runners import guarded
from mail.sending import do_round, send_all


def run(stop: threading.Event) -> None:
    """Work until *stop* is set."""
    work = [do_round, *[send_all] * settings.SENDERS]
    threads = [threading.Thread(target=_repeat, args=(job, stop)) for job in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _repeat(job, stop: threading.Event) -> None:
    while not stop.is_set():
        with guarded():
            job()
        stop.wait(settings.SCHEDULE_ROUND)
