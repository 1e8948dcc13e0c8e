"""A site's scheduler thread: reads the day's tasks, works on them for long, saves the outcome."""

from __future__ import annotations

import threading

import django

from lifeline_lab.stage import attempt, done, pause, ready


def morning_run() -> None:
    """Do one morning's work."""
    from lifeline_lab.programs.office.models import Task, Timeline

    tasks: list[Task] = []
    with attempt("read the tasks"):
        tasks = list(Task.objects.filter(state="new").order_by("id"))
    pause("working")  # sends mail, waits for other services
    for task in tasks:
        with attempt("save the outcome"):
            timeline = Timeline(task=task.name, note="sent")
            timeline.save()
        with attempt("mark the task"):
            task.state = "done"
            task.save()


if __name__ == "__main__":
    django.setup()
    ready()
    scheduler = threading.Thread(target=morning_run, name="scheduler")
    scheduler.start()
    scheduler.join()
    done()
