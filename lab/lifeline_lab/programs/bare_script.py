"""The ORM in a bare script: ``settings.configure()``, get, a long wait, save."""

from __future__ import annotations

import os

import django
from django.conf import settings

from lifeline_lab.stage import attempt, done, pause, ready, specification, use_pymysql


def configure() -> None:
    """Set Django up without a project."""
    cell = specification()
    if cell["driver"] == "pymysql":
        use_pymysql()
    password = os.environ["LIFELINE_LAB_PASSWORD"]
    settings.configure(
        DATABASES={"default": {**cell["database"], "PASSWORD": password}},
        INSTALLED_APPS=["lifeline_lab.programs.office"],
        USE_TZ=True,
        TIME_ZONE="Asia/Shanghai",
    )
    django.setup()


def main() -> None:
    """Read a task, wait, save it."""
    from lifeline_lab.programs.office.models import Task

    ready()
    task = Task(name="nothing read")
    with attempt("get the task"):
        task = Task.objects.get(name="mail the report")
    pause("sleeping")
    with attempt("save the task"):
        task.state = "done"
        task.save()
    done()


if __name__ == "__main__":
    configure()
    main()
