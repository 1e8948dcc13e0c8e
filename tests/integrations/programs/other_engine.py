"""The integrations in a project on SQLite that has no driver of MySQL, as many have at home."""

from __future__ import annotations

import sys
from typing import Any

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from django_lifeline.integrations import base, threads


def ask(value: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s", [value])
        return cursor.fetchone()[0]


def job_store() -> str:
    """What our job store says to SQLite."""
    from apscheduler.schedulers.background import BackgroundScheduler

    from django_lifeline.integrations.apscheduler import DjangoJobStore

    try:
        BackgroundScheduler(jobstores={"default": DjangoJobStore()}).start(paused=True)
    except ImproperlyConfigured as error:
        return str(error)
    return ""


def main() -> None:
    sys.modules["MySQLdb"] = None  # type: ignore[assignment]
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    settings.configure(DATABASES={"default": database})
    django.setup()
    with threads.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, "fine").result()
    base.give_back()
    base.let_go_of_parents()
    base.drain_pools()
    print(answer, job_store(), sep="\n")


if __name__ == "__main__":
    main()
