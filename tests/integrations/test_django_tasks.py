"""A real worker of django.tasks, where Django has it."""

from __future__ import annotations

import django
import pytest
from tests.integrations.conftest import Run, needs

if django.VERSION < (6, 0):
    pytest.skip("django.tasks came with Django 6.0", allow_module_level=True)


def test_tasks_of_the_database_give_back_and_survive_an_idle_loss(run: Run) -> None:
    needs("django_tasks_db", "django-tasks-db")
    said = run("django_task_worker")
    assert said["ours"] == {"answers": "cd", "held": [0, 0]}
    assert said["without"] == {"answers": "ab", "held": [1, 1]}
    path = "tests.integrations.programs.site_tasks.name_work"
    assert said["names"] == [path, "MainThread"]
    # An immediate task leaves its caller's connection alone.
    assert said["immediate"] == [1]
