"""The application's configuration."""

from __future__ import annotations

from django.apps import AppConfig

from lifeline_lab.stage import watch_connections


class OfficeConfig(AppConfig):
    """Watches connections being opened, for the timeline drawings."""

    name = "lifeline_lab.programs.office"
    label = "office"
    default_auto_field = "django.db.models.AutoField"

    def ready(self) -> None:
        watch_connections()
