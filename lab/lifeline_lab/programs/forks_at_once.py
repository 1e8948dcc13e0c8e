"""Children that query, close and end while their parent queries too; every answer has a tag."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

import django

from lifeline_lab.stage import attempt, done, ready

CHILDREN = 4
QUERIES = 15
CHILDREN_MAY_TAKE = 6.0


def ask(who: str) -> None:
    """Ask for things that only this process asks for."""
    from django.db import connection

    for number in range(QUERIES):
        tag = f"{who} {number}"
        op = f"{who.split()[0]} asks"
        with attempt(op, wanted=tag) as answer, connection.cursor() as cursor:
            cursor.execute("SELECT %s, SLEEP(0.005)", [tag])
            answer.value = cursor.fetchone()[0]


def child(number: int) -> None:
    """Ask, close everything, and end in one of two ways."""
    from django.db import connections

    ask(f"child {number}")
    with contextlib.suppress(Exception):
        connections.close_all()
    if number % 2:
        os._exit(0)
    sys.exit(0)


def wait_for(children: list[int]) -> None:
    """Wait for the children; end those that hang, as an operator would."""
    deadline = time.monotonic() + CHILDREN_MAY_TAKE
    for pid in children:
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                with attempt("child ends"):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    raise TimeoutError("a child hangs")
                break
            time.sleep(0.02)


def main() -> None:
    """Fork children and go on asking beside them."""
    from lifeline_lab.programs.office.models import Gold

    with attempt("parent reads before", wanted=3) as answer:
        answer.value = Gold.objects.count()
    children = []
    for number in range(CHILDREN):
        pid = os.fork()
        if pid == 0:
            child(number)
        children.append(pid)
    ask("parent")
    wait_for(children)
    with attempt("parent reads after", wanted=3) as answer:
        answer.value = Gold.objects.count()


if __name__ == "__main__":
    django.setup()
    ready()
    main()
    done()
