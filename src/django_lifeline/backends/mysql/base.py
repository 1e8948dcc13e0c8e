"""``ENGINE = "django_lifeline.backends.mysql"``."""

from django.db.backends.mysql import base as stock

from django_lifeline.backends.operations import DatabaseOperations
from django_lifeline.backends.wrapper import LifelineMixin


class DatabaseWrapper(LifelineMixin, stock.DatabaseWrapper):
    """Django's MySQL wrapper with the connections of this package."""

    ops_class = DatabaseOperations
