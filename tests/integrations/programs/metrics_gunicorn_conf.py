"""gunicorn's configuration file, as the documentation has it. Read before Django's settings are."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from prometheus_client.multiprocess import mark_process_dead

from django_lifeline.integrations import prometheus

assert not settings.configured
prometheus.install(interval=0.1)


def child_exit(server: Any, worker: Any) -> None:
    """Let a dead worker's connections no longer count."""
    mark_process_dead(worker.pid)
