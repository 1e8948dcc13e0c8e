"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig


class PaperConfig(AppConfig):
    """Named briefly, as tables are named after it."""

    name = "tests.sweep.paper"
    label = "paper"
