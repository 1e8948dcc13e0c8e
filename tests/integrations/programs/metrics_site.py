"""A site that shows its metrics, for a gunicorn with several workers."""

from __future__ import annotations

import contextlib
import os
import time

# isort: split
from tests.fixtures import program_setup  # noqa: F401 - configures Django

# isort: split
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from tests.integrations.programs.metrics_gunicorn_conf import exporter

from django_lifeline.backends.notices import FailoverFinished, publish
from django_lifeline.integrations.opentelemetry import WORK
from django_lifeline.integrations.work import named_work


def ask(request: HttpRequest) -> HttpResponse:
    """Use the database for a while."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT SLEEP(%s)", [request.GET.get("seconds", "0")])
    return HttpResponse(str(os.getpid()))


def heal(request: HttpRequest) -> HttpResponse:
    """Lose the connection between two statements, which is healed; and tell of a failover."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        program_setup.admin(f"KILL {cursor.fetchone()[0]}")
        time.sleep(0.05)
        cursor.execute("SELECT 1")
    publish(FailoverFinished(connection.pool.name, "default", "db1:3306", "db2:3306", 0.4))
    return HttpResponse("healed")


def lose(request: HttpRequest) -> HttpResponse:
    """Lose the connection in a transaction, which no engine can hide."""
    with (
        named_work("morning mail"),
        contextlib.suppress(OperationalError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT CONNECTION_ID()")
        program_setup.admin(f"KILL {cursor.fetchone()[0]}")
        time.sleep(0.05)
        cursor.execute("SELECT 1")
    return HttpResponse("lost")


def metrics(request: HttpRequest) -> HttpResponse:
    """All workers' metrics, as prometheus_client's documentation has it."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def spans(request: HttpRequest) -> HttpResponse:
    """What the spans of the answering worker are called, and who is said to have asked."""
    found = {(span.name, span.attributes[WORK]) for span in exporter.get_finished_spans()}
    return JsonResponse(sorted(found), safe=False)


urlpatterns = [
    path("", ask),
    path("heal", heal),
    path("lose", lose),
    path("metrics", metrics),
    path("spans", spans),
]
settings.DATABASES["default"]["OPTIONS"] = {"pool": {"max_size": 3}}
settings.ROOT_URLCONF = __name__
settings.ALLOWED_HOSTS = ["*"]
settings.SECRET_KEY = "not a secret"
application = get_wsgi_application()
