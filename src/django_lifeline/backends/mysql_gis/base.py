"""``ENGINE = "django_lifeline.backends.mysql_gis"``."""

from django.contrib.gis.db.backends.mysql import base as stock

from django_lifeline.backends.mysql_gis.operations import DatabaseOperations
from django_lifeline.backends.wrapper import LifelineMixin


class DatabaseWrapper(LifelineMixin, stock.DatabaseWrapper):
    """Django's spatial MySQL wrapper with the connections of this package."""

    ops_class = DatabaseOperations
