"""django.tasks (Django 6): connections go back after each task, in any worker that tells of it.

Call `install` where your tasks are defined, or in an ``AppConfig.ready``.
"""

from __future__ import annotations

from typing import Any

from django_lifeline.integrations.base import give_back
from django_lifeline.integrations.work import work_is

try:
    from django.tasks.backends.immediate import ImmediateBackend
    from django.tasks.signals import task_finished, task_started
except ImportError as error:
    raise ImportError("django_lifeline.integrations.django_tasks needs Django 6.0.") from error


def install() -> None:
    """Connect the signals that a worker sends round each task; safe to call twice."""
    task_started.connect(_before_task, dispatch_uid="lifeline", weak=False)
    task_finished.connect(_after_task, dispatch_uid="lifeline", weak=False)


def _before_task(task_result: Any, **kwargs: Any) -> None:
    if not _is_immediate(task_result):
        work_is(task_result.task.module_path)


def _after_task(task_result: Any, **kwargs: Any) -> None:
    if not _is_immediate(task_result):
        give_back()
        work_is("")


def _is_immediate(task_result: Any) -> bool:
    """Whether it runs inside somebody's request, which goes on with its connection."""
    return isinstance(task_result.task.get_backend(), ImmediateBackend)
