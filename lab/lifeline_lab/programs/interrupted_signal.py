"""A time limit that raises out of a signal handler, in the middle of a query, again and again.

Celery's soft time limit and many home-made ones work like this. The program catches it, as
they do, and goes on to the next piece of work. Every answer carries a tag.
"""

from __future__ import annotations

import signal

import django

from lifeline_lab.stage import attempt, done, ready, record

ROUNDS = 12
LIMIT = 0.1


class TimeLimit(BaseException):
    """The time for one piece of work is over."""


def strike(number: int, frame: object) -> None:
    """Do what the time limit's signal handler does."""
    raise TimeLimit


def main() -> None:
    """Interrupt a slow query, then ask something quick: whose answer comes?"""
    from django.db import connection

    def ask(tag: str, seconds: float) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s, SLEEP(%s)", [tag, seconds])
            return str(cursor.fetchone()[0])

    signal.signal(signal.SIGALRM, strike)
    for number in range(ROUNDS):
        signal.setitimer(signal.ITIMER_REAL, LIMIT)
        try:
            with attempt("slow work"):
                ask(f"slow {number}", 0.3)
        except TimeLimit:
            record("struck", f"slow {number}")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        with attempt("ask after the limit", wanted=f"quick {number}") as answer:
            answer.value = ask(f"quick {number}", 0)


if __name__ == "__main__":
    django.setup()
    ready()
    main()
    done()
