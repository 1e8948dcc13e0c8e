"""A program that is hit in the middle of a statement: a read, a write, or a COMMIT."""

from __future__ import annotations

import sys

import django

from django_lifeline.lab.stage import attempt, done, pause, ready


def read() -> None:
    """A plain SELECT over rows, slow enough to be hit."""
    from django.db import connection

    with attempt("slow read", wanted=[410, 412, 409]) as answer, connection.cursor() as cursor:
        table = "lifeline_lab_gold"
        cursor.execute(f"SELECT price, SLEEP(0.4) FROM {table} ORDER BY id")
        answer.value = [row[0] for row in cursor.fetchall()]


def write() -> None:
    """An INSERT in autocommit, slow enough to be hit."""
    from django.db import connection

    with attempt("slow write"), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO lifeline_lab_timeline (task, note) SELECT 'hit', SLEEP(1) + 100"
        )


def commit() -> None:
    """A transaction with a hook that mails a receipt when it has committed."""
    from django.db import transaction

    from django_lifeline.lab.programs.office.models import Timeline

    def mail() -> None:
        with attempt("mail the receipt"):
            pass

    with attempt("commit"), transaction.atomic():
        Timeline.objects.create(task="hit", note="written")
        transaction.on_commit(mail)


def main(what: str) -> None:
    """Do the thing between two harmless ones."""
    from django_lifeline.lab.programs.office.models import Gold, Timeline

    with attempt("read before", wanted=3) as answer:
        answer.value = Gold.objects.count()
    pause("before the hit")
    {"read": read, "write": write, "commit": commit}[what]()
    for number in range(2):
        with attempt("read after", wanted=3) as answer:
            answer.value = Gold.objects.count()
        with attempt("save after"):
            Timeline.objects.create(task="after", note=str(number))


if __name__ == "__main__":
    django.setup()
    ready()
    main(sys.argv[1])
    done()
