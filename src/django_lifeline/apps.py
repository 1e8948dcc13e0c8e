"""The optional app: the engine needs none; the command and checks at every ``check`` do."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.core import checks


class LifelineConfig(AppConfig):
    """``INSTALLED_APPS = ["django_lifeline", ...]``; no tables, no migrations."""

    name = "django_lifeline"
    label = "lifeline"
    verbose_name = "Lifeline"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and have this process shown on the admin's page.

        There are checks that need no database and those that ask a stock engine's.
        """
        from django_lifeline.checks import check_databases, check_servers

        checks.register(check_databases, "lifeline")
        checks.register(check_servers, checks.Tags.database)
        if apps.is_installed("django.contrib.admin"):
            from django_lifeline.panel.processes import publisher

            publisher.watch()
