"""The optional app: the engine needs none; the command and checks at every ``check`` do."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks


class LifelineConfig(AppConfig):
    """``INSTALLED_APPS = ["django_lifeline", ...]``; no models, no migrations."""

    name = "django_lifeline"
    label = "lifeline"
    verbose_name = "Lifeline"

    def ready(self) -> None:
        """Register the checks: those that need no database, and those that ask a stock engine's."""
        from django_lifeline.checks import check_databases, check_servers

        checks.register(check_databases, "lifeline")
        checks.register(check_servers, checks.Tags.database)
