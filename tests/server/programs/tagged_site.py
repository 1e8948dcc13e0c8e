"""A site for a server that loads it before it forks, as ``gunicorn --preload`` does.

It asks the database something while it is loaded, in the process that will be the workers' parent.
"""

from __future__ import annotations

import os

# isort: split
from tests.fixtures import program_setup  # noqa: F401 - configures Django

# isort: split
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path


def session() -> int:
    """The server's id of the session that this process or thread has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        return int(cursor.fetchone()[0])


def answer(request: HttpRequest) -> JsonResponse:
    """Send the visitor's tag through the database and back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s, SLEEP(0.003)", [request.GET["tag"]])
        tag = cursor.fetchone()[0]
    return JsonResponse({"tag": tag, "pid": os.getpid(), "loaded": [LOADED_BY, PARENTS_SESSION]})


urlpatterns = [path("", answer)]
settings.ROOT_URLCONF = __name__
settings.ALLOWED_HOSTS = ["*"]
settings.SECRET_KEY = "not a secret"
LOADED_BY = os.getpid()
PARENTS_SESSION = session()
application = get_wsgi_application()
