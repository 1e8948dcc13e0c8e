"""A program that forks while it has a connection; what the child does is the argument."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

import django

from lifeline_lab.stage import attempt, done, ready

CHILDREN = 3
SOON = 0.3


def main(act: str) -> None:
    """Use the database, fork children that do ``act``, and use the database again."""
    from django.db import connections

    from lifeline_lab.programs.office.models import Gold, Timeline

    def query(who: str) -> None:
        with attempt("child queries", wanted=3) as answer:
            answer.value = Gold.objects.count()
        with attempt("child saves"):
            Timeline.objects.create(task="child", note=who)

    def long_query(who: str) -> None:
        with attempt("child is busy"), connections["default"].cursor() as cursor:
            cursor.execute("SELECT %s, SLEEP(0.6)", [who])

    def close(who: str) -> None:
        connections.close_all()

    acts: dict[str, Callable[[str], None]] = {
        "ends": lambda who: None,
        "closes": close,
        "queries": query,
        "killed": long_query,
    }
    with attempt("parent reads before", wanted=3) as answer:
        answer.value = Gold.objects.count()
    for number in range(CHILDREN):
        child = os.fork()
        if child == 0:
            acts[act](f"child {number}")
            sys.exit(0)
        if act == "killed":
            time.sleep(SOON)
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with attempt("parent reads", wanted=3) as answer:
            answer.value = Gold.objects.count()
        with attempt("parent saves"):
            Timeline.objects.create(task="parent", note=f"after child {number}")


if __name__ == "__main__":
    django.setup()
    ready()
    main(sys.argv[1])
    done()
