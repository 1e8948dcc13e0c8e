"""Greenlets that are killed, or run into a gevent ``Timeout``, while they wait for an answer."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import django  # noqa: E402
import gevent  # noqa: E402

from lifeline_lab.stage import attempt, done, ready, record  # noqa: E402

ROUNDS = 6


def main() -> None:
    """One long-lived greenlet meets its time limit again and again; others are killed beside it."""
    from django.db import connection

    def ask(tag: str, seconds: float) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s, SLEEP(%s)", [tag, seconds])
            return str(cursor.fetchone()[0])

    def slow_work(number: int) -> None:
        with attempt("work that is killed"):
            ask(f"killed {number}", 0.2)

    for number in range(ROUNDS):
        victim = gevent.spawn(slow_work, number)
        gevent.sleep(0.05)
        victim.kill()
        with gevent.Timeout(0.05, False), attempt("slow work"):
            ask(f"slow {number}", 0.3)
        record("struck", f"slow {number}")
        with attempt("ask after the limit", wanted=f"quick {number}") as answer:
            answer.value = ask(f"quick {number}", 0)


if __name__ == "__main__":
    django.setup()
    ready()
    main()
    done()
