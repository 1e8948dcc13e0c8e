"""A site with the admin: its users in SQLite, its shop in the tested database behind a proxy."""

from __future__ import annotations

import copy
import os
import tempfile
from pathlib import Path
from typing import Any

# isort: split
from tests.fixtures import program_setup  # noqa: F401 - configures Django

# isort: split
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.management import call_command
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.urls import path

FOLDER = Path(os.environ["FOLDER"])
tempfile.tempdir = str(FOLDER)
APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_lifeline",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def use(port: int) -> None:
    """Set the site up; its shop is behind this port."""
    shop = copy.deepcopy(connections.settings["default"])
    shop |= {"HOST": "127.0.0.1", "PORT": port, "PASSWORD": shop["PASSWORD"]}
    users = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(FOLDER / "users.sqlite3")}
    connections.settings["shop"] = shop
    connections.settings["default"] = {**shop, **users, "OPTIONS": {"timeout": 20}}
    for name, value in {
        "ALLOWED_HOSTS": ["*"],
        "INSTALLED_APPS": APPS,
        "MIDDLEWARE": MIDDLEWARE,
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
        "ROOT_URLCONF": __name__,
        "SECRET_KEY": "not a secret",
        "STATIC_URL": "/static/",
        "TEMPLATES": TEMPLATES,
    }.items():
        setattr(settings, name, value)
    apps.set_installed_apps(APPS)
    urlpatterns.append(path("admin/", admin.site.urls))


def make_users() -> None:
    """Three of the staff: the boss, one who may see the page, one who may not."""
    from django.contrib.auth.models import Permission, User

    call_command("migrate", verbosity=0)
    User.objects.create_superuser("boss", password="boss")
    allowed, other = (
        User.objects.create_user(name, password=name, is_staff=True) for name in ("eve", "adam")
    )
    allowed.user_permissions.add(Permission.objects.get(codename="view_connections"))
    assert not other.has_perm("lifeline.view_connections")


def shop(request: HttpRequest) -> HttpResponse:
    """A page that asks the shop's database."""
    with connections["shop"].cursor() as cursor:
        cursor.execute("SELECT 42")
        return HttpResponse(str(cursor.fetchone()[0]))


def no_icon(request: HttpRequest) -> HttpResponse:
    """What browsers ask for unasked."""
    return HttpResponse(status=204)


urlpatterns: list[Any] = [path("shop", shop), path("favicon.ico", no_icon)]
