"""Test databases: no idle connection of the pool outlives the database it points to."""

from __future__ import annotations

from typing import Any

from django.db.backends.mysql import creation as stock

from django_lifeline.backends.assembly import targets
from django_lifeline.backends.credentials import with_credentials


class DatabaseCreation(stock.DatabaseCreation):
    """Django's, and the pool of a test database is drained before the database is dropped."""

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> Any:
        for target in targets:
            if target.params.get("database") == test_database_name:
                target.pool.drain()
        return super()._destroy_test_db(test_database_name, verbosity)

    def _clone_db(self, source_database_name: str, target_database_name: str) -> Any:
        """Copy a test database with mysqldump, which is told the password of now."""
        settings = self.connection.settings_dict
        self.connection.settings_dict = with_credentials(settings)
        try:
            return super()._clone_db(source_database_name, target_database_name)
        finally:
            self.connection.settings_dict = settings
