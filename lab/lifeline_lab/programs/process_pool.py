"""A ``multiprocessing`` pool, forked while the parent has a connection and goes on querying."""

from __future__ import annotations

import multiprocessing

import django

from lifeline_lab.stage import attempt, done, ready

WORKERS = 4
QUESTIONS = 40


def ask(tag: str) -> None:
    """Ask the database for this very tag."""
    from django.db import connection

    with attempt("ask", wanted=tag) as answer, connection.cursor() as cursor:
        cursor.execute("SELECT SLEEP(0.003), %s", [tag])
        answer.value = cursor.fetchone()[1]


def main() -> None:
    """Ask from the pool and from the parent at the same time."""
    from lifeline_lab.programs.office.models import Gold

    with attempt("parent reads before", wanted=3) as answer:
        answer.value = Gold.objects.count()
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        tags = [f"worker {number}" for number in range(QUESTIONS)]
        answers = pool.map_async(ask, tags, chunksize=QUESTIONS // WORKERS)
        for number in range(QUESTIONS // 2):
            ask(f"parent {number}")
        with attempt("pool ends"):
            answers.get(timeout=8)
    with attempt("parent reads after", wanted=3) as answer:
        answer.value = Gold.objects.count()


if __name__ == "__main__":
    django.setup()
    ready()
    main()
    done()
