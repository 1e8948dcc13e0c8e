"""System checks of one database: what the doctor's rules find in it.

``check --database`` and ``migrate`` ask the backend, so no app is needed to be told. With the
app installed, every ``check`` tells what can be said without the database.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core import checks
from django.db.backends.mysql import validation as stock

from django_lifeline.diagnosis.doctor.messages import server_messages, settings_messages

APP = "django_lifeline"


class DatabaseValidation(stock.DatabaseValidation):
    """Django's, and the checks of this package."""

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Return the messages for this database; it is asked about itself."""
        found = [] if apps.is_installed(APP) else settings_messages(self.connection)
        if any(message.level >= checks.ERROR for message in found):
            return found
        return [*super().check(**kwargs), *found, *server_messages(self.connection)]
