"""A real worker of django.tasks that takes its tasks from the database."""

from __future__ import annotations

import logging
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from tests.integrations.programs.watch import ask, kill_all, say, state

APPS = ["django_tasks_db"]
settings.INSTALLED_APPS = APPS
settings.TASKS = {
    "default": {"BACKEND": "django_tasks_db.DatabaseBackend"},
    "now": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"},
}
apps.set_installed_apps(APPS)
logging.disable(logging.CRITICAL)


def work() -> None:
    """Do what is to be done, then return."""
    call_command("db_worker", batch=True, startup_delay=False, verbosity=0)


def main() -> None:
    from django.tasks.signals import task_finished
    from tests.integrations.programs import site_tasks

    from django_lifeline.integrations.django_tasks import install
    from django_lifeline.integrations.work import current_work

    call_command("migrate", verbosity=0)
    held: list[int] = []

    def look(**kwargs: Any) -> None:
        held.append(state()["used"])

    def run(*tags: str) -> str:
        results = [site_tasks.ask.enqueue(tag) for tag in tags]
        kill_all()
        work()
        for result in results:
            result.refresh()
        return "".join(str(result.return_value) for result in results)

    task_finished.connect(look)
    without = {"answers": run("a", "b"), "held": held[:]}
    task_finished.disconnect(look)
    held.clear()
    install()
    install()
    task_finished.connect(look)
    ours = {"answers": run("c", "d"), "held": held[:]}
    named = site_tasks.name_work.enqueue()
    work()
    named.refresh()
    names = [named.return_value, current_work()]
    held.clear()
    ask()
    site_tasks.ask.using(backend="now").enqueue("e")
    say({"ours": ours, "without": without, "immediate": held, "names": names})


if __name__ == "__main__":
    main()
