"""Celery's application; the worker's parent asks the database something before it forks."""

from __future__ import annotations

import os

# isort: split
from tests.fixtures import program_setup  # noqa: F401 - configures Django

# isort: split
from celery import Celery
from django.db import connection

# Celery looks after Django's connections where this is set; the settings are there already.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "configured")
app = Celery("tagged", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)


def session() -> int:
    """The server's id of this process's session."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        return int(cursor.fetchone()[0])


LOADED_BY = os.getpid()
PARENTS_SESSION = session()


@app.task(name="answer")
def answer(tag: str) -> list[object]:
    """Send the tag through the database and back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s, SLEEP(0.003)", [tag])
        found = cursor.fetchone()[0]
    return [found, os.getpid(), LOADED_BY, PARENTS_SESSION]
