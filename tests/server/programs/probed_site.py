"""A site with probes, for a real gunicorn."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.urls import include, path


def work(request: HttpRequest) -> JsonResponse:
    """Ask the database for a moment, so that the next visitor meets another worker."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT SLEEP(0.05)")
            cursor.fetchall()
    except Error as error:
        return JsonResponse({"pid": os.getpid(), "failed": error.args[0]})
    return JsonResponse({"pid": os.getpid(), "failed": None})


urlpatterns = [path("", work), path("health/", include("django_lifeline.health"))]
application = get_wsgi_application()
