"""The command: takes new tasks from the table and works on them."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from lifeline_lab.programs.office.models import Task, Timeline
from lifeline_lab.stage import attempt, done, pause, ready


class Command(BaseCommand):
    """Looks for new tasks again and again; for a long time there are none."""

    requires_system_checks: list[str] = []

    def handle(self, *args: object, **options: object) -> None:
        """Do every new task, then wait for more."""
        ready()
        for turn in range(4):
            if turn == 1:
                pause("nothing to do")
            self.work_on_one(turn)
        done()

    def work_on_one(self, turn: int) -> None:
        """Take one task and do it."""
        with attempt("take a task"):
            task = Task.objects.filter(state="new").order_by("id").first()
            if task is not None:
                task.state = "done"
                task.save(update_fields=["state"])
        with attempt("note the turn"):
            Timeline.objects.create(task="turn", note=str(turn))
