"""A program that is hit in the middle of a statement: a read, a write, or a COMMIT."""

from __future__ import annotations

import sys

import django

from lifeline_lab.stage import attempt, done, pause, ready, record


def read() -> None:
    """A plain SELECT over rows that somebody has locked for a while."""
    from lifeline_lab.programs.office.models import Gold

    with attempt("slow read", wanted=[410, 412, 409]) as answer:
        answer.value = list(Gold.objects.order_by("id").values_list("price", flat=True))


def write() -> None:
    """An INSERT in autocommit, slow enough to be hit."""
    from django.db import connection

    with attempt("slow write"), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO lifeline_lab_timeline (task, note) SELECT 'hit', SLEEP(1) + 100"
        )


def order() -> None:
    """A transaction with a hook that mails a receipt when it has committed."""
    from django.db import transaction

    from lifeline_lab.programs.office.models import Timeline

    def mail() -> None:
        with attempt("mail the receipt"):
            pass

    with transaction.atomic():
        Timeline.objects.create(task="hit", note="written")
        transaction.on_commit(mail)


def commit() -> None:
    """Order once."""
    with attempt("order"):
        order()


def commit_again() -> None:
    """Order, and do it again when it fails, as one does."""
    from lifeline_lab.programs.office.models import Timeline

    with attempt("order"):
        try:
            order()
        except Exception as error:
            record("order failed", type(error).__name__, text=str(error))
            unknown = type(error).__name__ == "CommitOutcomeUnknown"
            if unknown and Timeline.objects.filter(task="hit").exists():
                return  # it went through: to look first is what this error asks for
            order()


def main(what: str) -> None:
    """Do the thing between two harmless ones."""
    from lifeline_lab.programs.office.models import Gold, Timeline

    with attempt("read before", wanted=3) as answer:
        answer.value = Gold.objects.count()
    pause("before the hit")
    acts = {"read": read, "write": write, "commit": commit, "commit-again": commit_again}
    acts[what]()
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
