"""Tasks of django.tasks, in a module of their own since workers look them up by name."""

from __future__ import annotations

from django.tasks import task
from tests.integrations.programs import watch

from django_lifeline.integrations.work import current_work


@task
def ask(tag: str) -> object:
    """Send the tag through the database and back."""
    return watch.ask(tag)


@task
def name_work() -> str:
    """Return what this is called while it runs."""
    return current_work()
