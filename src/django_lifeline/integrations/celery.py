"""Celery: connections go back after each task, and workers say goodbye to the server.

Call `install` in the module that makes the Celery application.
"""

from __future__ import annotations

from typing import Any

from django_lifeline.integrations.base import drain_pools, give_back, missing

try:
    from celery import signals
except ImportError as error:
    raise missing("celery") from error


def install() -> None:
    """Connect Celery's signals; safe to call twice. Works with every pool of Celery's.

    Celery looks after Django's connections itself where ``DJANGO_SETTINGS_MODULE`` is set and
    ``CELERY_DB_REUSE_MAX`` is not. This does it always.
    """
    signals.task_postrun.connect(_after_task, dispatch_uid="lifeline", weak=False)
    # What the worker's parent opened while it loaded the application is not needed after that.
    for signal in (signals.worker_ready, signals.worker_shutdown, signals.worker_process_shutdown):
        signal.connect(_drain, dispatch_uid="lifeline", weak=False)


def _after_task(sender: Any, **kwargs: Any) -> None:
    # An eager task runs inside somebody's request, which goes on with its connection.
    if not sender.request.is_eager:
        give_back()


def _drain(**kwargs: Any) -> None:
    drain_pools()
