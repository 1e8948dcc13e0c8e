"""What the admin page needs of a model: its address, its entry in the index, its permission."""

from __future__ import annotations

from typing import Any

from django.db import models


class NoRows(models.Manager):
    """Finds nothing, without asking the database: there is no table."""

    def get_queryset(self) -> Any:
        """Return an empty query set."""
        return super().get_queryset().none()


class Connections(models.Model):
    """Has no table and no migration.

    Django makes the permission ``lifeline.view_connections`` for it when ``migrate`` runs, and
    shows it where permissions are given.
    """

    objects = NoRows()

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = verbose_name_plural = "connections"
        # What tools such as dumpdata --all use.
        base_manager_name = "objects"
