"""The drivers: their own connection classes, with liveness and exchange state added."""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType


def driver_for(database: ModuleType) -> ModuleType:
    """Return our module for what Django imports as ``MySQLdb``: mysqlclient, or PyMySQL instead.

    Its ``connect(params, tcp=...)`` returns a `DriverConnection`.
    """
    name = "pymysql" if database.__name__ == "pymysql" else "mysqldb"
    return importlib.import_module(f"{__name__}.{name}")


def gevent_sockets() -> bool:
    """Whether gevent has taken the place of the standard library's sockets."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and monkey.is_module_patched("socket")


def greenlets_wait_alone() -> bool:
    """Whether under gevent each greenlet has connections of its own in Django, as threads have.

    With ``patch_all(thread=False)`` all greenlets of a thread share them: none may be let in while
    another waits for its answer.
    """
    return gevent_sockets() and sys.modules["gevent.monkey"].is_module_patched("_thread")


def hub_of(database: ModuleType) -> int:
    """Return the native thread in which alone connections that are opened now can be used.

    A socket of gevent's belongs to the hub of the thread that made it, and PyMySQL's is one. 0: any
    thread may use them.
    """
    return threading.get_native_id() if database.__name__ == "pymysql" and gevent_sockets() else 0
