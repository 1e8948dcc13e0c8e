"""The site that gunicorn serves: a page whose query takes 50 ms. The environment configures it."""

from __future__ import annotations

import json
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from benchmarks import SITE_SPECIFICATION

QUERY = "SELECT SLEEP(0.05)"


def slow(request: HttpRequest) -> HttpResponse:
    """Run the query; an error is told by its class and number."""
    from django.db import DatabaseError, connection

    try:
        with connection.cursor() as cursor:
            cursor.execute(QUERY)
            cursor.fetchall()
    except DatabaseError as error:
        number = error.args[0] if error.args else None
        return JsonResponse({"error": f"{type(error).__name__} {number}"})
    return JsonResponse({"error": ""})


def up(request: HttpRequest) -> HttpResponse:
    """Answer without a database."""
    return HttpResponse("up")


urlpatterns = [path("slow/", slow), path("up/", up)]

_spec = json.loads(os.environ[SITE_SPECIFICATION])
if _spec["driver"] == "pymysql":
    import pymysql

    pymysql.install_as_MySQLdb()
settings.configure(
    DATABASES={"default": _spec["database"]},
    ROOT_URLCONF=__name__,
    SECRET_KEY="only-for-benchmarks",
    ALLOWED_HOSTS=["*"],
    LOGGING_CONFIG=None,
)
application = get_wsgi_application()
