"""The drivers: their own connection classes, with liveness and exchange state added."""

from __future__ import annotations

import importlib
from types import ModuleType


def driver_for(database: ModuleType) -> ModuleType:
    """Return our module for what Django imports as ``MySQLdb``: mysqlclient, or PyMySQL instead.

    Its ``connect(params, tcp=...)`` returns a `DriverConnection`.
    """
    name = "pymysql" if database.__name__ == "pymysql" else "mysqldb"
    return importlib.import_module(f"{__name__}.{name}")
