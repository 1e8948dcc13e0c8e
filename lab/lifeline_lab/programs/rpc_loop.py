"""A loop that serves calls from elsewhere: no HTTP, so Django never sees a request begin or end."""

from __future__ import annotations

import django

from lifeline_lab.stage import attempt, done, pause, ready


def serve() -> None:
    """Answer four calls, the last three after a long silence."""
    from lifeline_lab.programs.office.models import Gold, Timeline

    with attempt("first call", wanted=True) as answer:
        answer.value = Gold.objects.exists()
    pause("silence")
    for call in ("call after the silence", "next call"):
        with attempt(call, wanted=True) as answer:
            answer.value = Gold.objects.exists()
    with attempt("call that writes"):
        Timeline.objects.create(task="call", note="answered")


if __name__ == "__main__":
    django.setup()
    ready()
    serve()
    done()
