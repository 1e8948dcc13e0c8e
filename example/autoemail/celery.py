"""Celery, for ``SCHEDULE_RUNNER=celery``: ``celery -A autoemail worker`` and ``… beat``."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "autoemail.settings")
app = Celery("autoemail")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["mail"])
