"""System checks of one database: what the doctor's rules find in it.

``check --database`` and ``migrate`` ask the backend, so no app is needed to be told. With the
app installed, every ``check`` tells what can be said without the database. The doctor is loaded
then and not before: every process that begins loads the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.mysql import validation as stock

if TYPE_CHECKING:
    from django.core.management.base import SystemCheckError

APP = "django_lifeline"


class DatabaseValidation(stock.DatabaseValidation):
    """Django's, and the checks of this package."""

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Return the messages for this database; it is asked about itself."""
        from django_lifeline.diagnosis.doctor.messages import server_messages, settings_messages

        found = [] if apps.is_installed(APP) else settings_messages(self.connection)
        if any(message.level >= checks.ERROR for message in found):
            return found
        return [*super().check(**kwargs), *found, *server_messages(self.connection)]

    def check_field(self, field: Any, **kwargs: Any) -> list[checks.CheckMessage]:
        """Return Django's messages for a model's field.

        Django asks the server's version for it, and does so before it comes to `check`. Where an
        option keeps from connecting, raises ``SystemCheckError`` with the message that `check`
        would have returned: a command prints it without a traceback.
        """
        try:
            found: list[checks.CheckMessage] = super().check_field(field, **kwargs)
        except ImproperlyConfigured as error:
            from django_lifeline.diagnosis.doctor.messages import settings_messages

            wrong = [
                message
                for message in settings_messages(self.connection)
                if message.level >= checks.ERROR and not message.is_silenced()
            ]
            if not wrong:
                raise
            raise _failed(wrong) from error
        return found


def _failed(wrong: list[checks.CheckMessage]) -> SystemCheckError:
    """Return the error with which a command ends for *wrong*, in the words of Django's own."""
    from django.core.management.base import SystemCheckError

    told = "\n".join(str(message) for message in wrong)
    return SystemCheckError(
        f"SystemCheckError: System check identified some issues:\n\nERRORS:\n{told}"
    )
