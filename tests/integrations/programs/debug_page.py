"""A page with the debug toolbar, whose view loses its connection on the way."""

from __future__ import annotations

import json
import re
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from tests.server.programs.toolbox import kill


def page(request: HttpRequest) -> HttpResponse:
    """Ask, lose the session, ask again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        if "lose" in request.GET:
            kill(cursor.fetchone()[0])
        cursor.execute("SELECT '<b>1</b>'")
    return HttpResponse("<html><body>page</body></html>")


urlpatterns: list[Any] = [path("page/", page)]


def panel(client: Client, address: str) -> list[str]:
    """The panel's line in the toolbar, and its text."""
    shown = client.get(address).content.decode()
    request_id = re.search(r'data-(?:request|store)-id="(\w+)"', shown)
    line = re.search(r'id="djdt-ConnectionsPanel".*?<small>(.*?)</small>', shown, re.DOTALL)
    assert request_id and line, shown
    words = {"request_id": request_id[1], "panel_id": "ConnectionsPanel"}
    answer = client.get("/__debug__/render_panel/", words).json()
    return [line[1], re.sub(r"\s+", " ", answer["content"])]


def main() -> None:
    settings.DEBUG = True
    settings.STATIC_URL = "static/"
    settings.SECRET_KEY = "not a secret"
    settings.ALLOWED_HOSTS = ["*"]
    settings.INTERNAL_IPS = ["127.0.0.1"]
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware"]
    settings.DEBUG_TOOLBAR_PANELS = ["django_lifeline.integrations.debug_toolbar.ConnectionsPanel"]
    settings.TEMPLATES = [
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
    ]
    apps.set_installed_apps(["django.contrib.staticfiles", "debug_toolbar"])
    # Not before its application is installed.
    from debug_toolbar.toolbar import debug_toolbar_urls

    urlpatterns.extend(debug_toolbar_urls())
    client = Client()
    said = {
        "quiet": panel(client, "/page/"),
        "lost": panel(client, "/page/?lose"),
        "pool": connection.pool.name,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
