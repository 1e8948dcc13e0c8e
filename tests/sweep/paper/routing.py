"""Sends everything to the database of the thread that asks."""

from __future__ import annotations

import threading
from typing import Any

_here = threading.local()


def use(alias: str) -> None:
    """From now on this thread's models are in this database."""
    _here.alias = alias


class Router:
    """Django's database router."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        """Return this thread's database."""
        return getattr(_here, "alias", None)

    db_for_write = db_for_read

    def allow_relation(self, *objects: Any, **hints: Any) -> bool:
        """Allow it: all objects of a thread are in one database."""
        return True
