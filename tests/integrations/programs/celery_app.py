"""A Celery application whose tasks look at the pool, lose their connections and are killed."""

from __future__ import annotations

import os
import signal
import time

# isort: split
from tests.fixtures import program_setup  # noqa: F401 - configures Django

# isort: split
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from tests.integrations.programs.watch import ask, state

from django_lifeline.exceptions import CommitOutcomeUnknown
from django_lifeline.integrations.celery import install

if os.environ["RESULTS"] == "django-db":
    apps.set_installed_apps(["django_celery_results"])

app = Celery("tests", broker=os.environ["BROKER"], backend=os.environ["RESULTS"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=1,
    default_retry_delay=0,
)
INSTALLED = os.environ["INSTALL"] == "yes"
if INSTALLED:
    install()

LOADED = ask("loaded")  # in the worker's parent, before it forks


class Done(models.Model):
    """A task's id, stored together with what the task did."""

    task_id = models.CharField(max_length=255, primary_key=True)

    class Meta:
        app_label = "tests"
        db_table = "done"


class Order(models.Model):
    """What must be booked once."""

    name = models.CharField(max_length=50)

    class Meta:
        app_label = "tests"
        db_table = "booked"


@app.task
def look(tag: str) -> list[object]:
    """What earlier tasks left in this process's hands, and the tag through the database."""
    # A result is known a moment before its task has given back.
    deadline = time.monotonic() + (5 if INSTALLED else 0.1)
    while state()["used"] and time.monotonic() < deadline:
        time.sleep(0.01)
    return [state()["used"], ask(tag), os.getpid()]


@app.task(soft_time_limit=1)
def too_slow(tag: str) -> str:
    """A statement that the soft limit breaks into; then the next one."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 'wrong', SLEEP(2)")
            return str(cursor.fetchone()[0])
    except SoftTimeLimitExceeded:
        return str(ask(tag))


@app.task(time_limit=1)
def hopeless() -> None:
    """A task that only the hard limit ends: with its process, or its greenlet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT SLEEP(2)")


@app.task(
    bind=True,
    acks_late=True,
    reject_on_worker_lost=True,
    autoretry_for=(CommitOutcomeUnknown,),
    default_retry_delay=0,
)
def book(self, name: str, *, dies: bool = False) -> str:
    """Book an order exactly once, however often this task is delivered."""
    task_id = self.request.id
    try:
        with transaction.atomic():
            Done.objects.create(task_id=task_id)
            Order.objects.create(name=name)
    except IntegrityError:
        if not Done.objects.filter(task_id=task_id).exists():
            raise
        return "had been booked"
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
    return "booked"
