"""The optional app: the engine needs none, but system checks that run at every ``check`` do."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks


class LifelineConfig(AppConfig):
    """``INSTALLED_APPS = ["django_lifeline", ...]``; no models, no migrations."""

    name = "django_lifeline"
    label = "lifeline"
    verbose_name = "Lifeline"

    def ready(self) -> None:
        """Register the checks that need no database."""
        from django_lifeline.checks import check_databases

        checks.register(check_databases, "lifeline")
