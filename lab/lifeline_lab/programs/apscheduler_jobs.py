"""Jobs of a real APScheduler that use the ORM, with a long silence between two runs."""

from __future__ import annotations

import logging
import threading

import django

from lifeline_lab.stage import attempt, done, pause, ready

RUNS = 3


def main() -> None:
    """Run a job three times; before the second run the connections' time passes."""
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler

    from lifeline_lab.programs.office.models import Gold, Timeline

    ended = threading.Event()

    def job(run: int) -> None:
        with attempt("job reads", wanted=3) as answer:
            answer.value = Gold.objects.count()
        with attempt("job saves"):
            Timeline.objects.create(task="job", note=f"run {run}")
        ended.set()

    # One worker thread, so that every run meets the thread that ran before it.
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone="UTC")
    scheduler.start()
    for run in range(RUNS):
        if run == 1:
            pause("night")
        ended.clear()
        scheduler.add_job(job, args=[run])
        ended.wait(20)
    scheduler.shutdown()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    django.setup()
    ready()
    main()
    done()
