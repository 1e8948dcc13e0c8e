"""A money transfer that loses its connection half way; then it is done again, and more follows."""

from __future__ import annotations

import django

from lifeline_lab.stage import attempt, done, pause, ready


def main() -> None:
    """Lose one transaction; the ones before and after must be whole."""
    from django.db import transaction

    from lifeline_lab.programs.office.models import Timeline

    def transfer(name: str, middle: str = "") -> None:
        with transaction.atomic():
            Timeline.objects.create(task=name, note="taken")
            if middle:
                pause(middle)
            Timeline.objects.create(task=name, note="given")

    with attempt("transfer before"):
        transfer("before")
    with attempt("transfer that is hit"):
        transfer("hit", middle="half way")
    with attempt("transfer after"):
        transfer("after")
    with attempt("read after", wanted=4) as answer:
        answer.value = Timeline.objects.count()


if __name__ == "__main__":
    django.setup()
    ready()
    main()
    done()
