"""A thread pool that works, is idle for long, and works again; the argument is its size."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import django

from lifeline_lab.stage import attempt, done, pause, ready


def main(threads: int) -> None:
    """Give every thread one piece of work before and one after the pause."""
    from lifeline_lab.programs.office.models import Gold, Timeline

    together = threading.Barrier(threads)

    def work(turn: str, number: int) -> None:
        together.wait(20)  # every thread of the pool gets a piece
        with attempt(f"{turn}: read", wanted=3) as answer:
            answer.value = Gold.objects.count()
        with attempt(f"{turn}: save"):
            Timeline.objects.create(task=turn, note=str(number))

    with ThreadPoolExecutor(threads, thread_name_prefix="worker") as pool:
        list(pool.map(work, ["evening"] * threads, range(threads)))
        pause("night")
        list(pool.map(work, ["morning"] * threads, range(threads)))


if __name__ == "__main__":
    django.setup()
    ready()
    main(int(sys.argv[1]))
    done()
