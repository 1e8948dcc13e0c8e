"""A worker that takes a task, does it, and notes it; between two tasks something happens."""

from __future__ import annotations

import django

from lifeline_lab.stage import attempt, done, pause, ready

TASKS = ("first", "second", "third", "fourth")


def work() -> None:
    """Do the tasks, one after the other."""
    from lifeline_lab.programs.office.models import Task, Timeline

    for task in TASKS:
        if task == "second":
            pause("between tasks")
        with attempt("look for work", wanted=3) as answer:
            answer.value = Task.objects.filter(state="new").count()
        with attempt("note the work"):
            Timeline.objects.create(task=task, note="done")


if __name__ == "__main__":
    django.setup()
    ready()
    work()
    done()
