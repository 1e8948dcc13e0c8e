"""``dbshell``: the command line client, with the password of now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.backends.mysql import client as stock

from django_lifeline.backends.credentials import with_credentials


class DatabaseClient(stock.DatabaseClient):
    """Django's, which reads the settings alone."""

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: Mapping[str, Any], parameters: Iterable[str]
    ) -> Any:
        """Return the client's command line and environment; the password is in the latter."""
        return super().settings_to_cmd_args_env(with_credentials(settings_dict), parameters)
