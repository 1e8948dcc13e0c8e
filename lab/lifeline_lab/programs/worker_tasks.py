"""A queue worker that looks after its connections between tasks, as the manual says.

It calls ``close_old_connections()`` before each task, which arms Django's health check once. The
session dies inside a task, after its first statement.
"""

from __future__ import annotations

import django

from lifeline_lab.stage import attempt, done, pause, ready


def main() -> None:
    """Do three tasks; the second is long."""
    from django.db import close_old_connections

    from lifeline_lab.programs.office.models import Task, Timeline

    for task in ("first", "second", "third"):
        close_old_connections()
        with attempt("read the task", wanted=3) as answer:
            answer.value = Task.objects.count()
        if task == "second":
            pause("inside a task")
        with attempt("save the outcome"):
            Timeline.objects.create(task=task, note="done")


if __name__ == "__main__":
    django.setup()
    ready()
    main()
    done()
