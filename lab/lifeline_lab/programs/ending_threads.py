"""A program that starts a thread for every job; the threads end and nobody closes anything."""

from __future__ import annotations

import gc
import threading

import django

from lifeline_lab.stage import attempt, done, pause, ready

JOBS = 22


def main() -> None:
    """Do the jobs, each in a thread of its own, one batch after the other."""
    from lifeline_lab.programs.office.models import Timeline

    gc.disable()  # when the collector runs is chance; a busy program may not meet it for long

    def job(number: int) -> None:
        with attempt("job saves"):
            Timeline.objects.create(task="job", note=str(number))

    for number in range(JOBS):
        thread = threading.Thread(target=job, args=[number], name=f"job {number}")
        thread.start()
        thread.join()
    pause("all ended")


if __name__ == "__main__":
    django.setup()
    ready()
    main()
    done()
