"""django.tasks (Django 6): connections go back after each task, in any worker that tells of it.

Call `install` where your tasks are defined, or in an ``AppConfig.ready``.
"""

from __future__ import annotations

from typing import Any

from django_lifeline.integrations.base import give_back

try:
    from django.tasks.backends.immediate import ImmediateBackend
    from django.tasks.signals import task_finished
except ImportError as error:
    raise ImportError("django_lifeline.integrations.django_tasks needs Django 6.0.") from error


def install() -> None:
    """Connect the signal that a worker sends when a task is over; safe to call twice."""
    task_finished.connect(_after_task, dispatch_uid="lifeline", weak=False)


def _after_task(task_result: Any, **kwargs: Any) -> None:
    # An immediate task runs inside somebody's request, which goes on with its connection.
    if not isinstance(task_result.task.get_backend(), ImmediateBackend):
        give_back()
