"""Django's spatial MySQL operations that know how much a statement may hold."""

from django.contrib.gis.db.backends.mysql import operations as stock

from django_lifeline.backends.operations import OperationsMixin


class DatabaseOperations(OperationsMixin, stock.MySQLOperations):
    """Django's spatial operations with bulk operations split by bytes."""
