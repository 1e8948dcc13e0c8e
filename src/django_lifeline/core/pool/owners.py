"""Who holds or waits: a thread, or under gevent a greenlet."""

from __future__ import annotations

import threading
import weakref


class _Presence:
    """Lives in a ``threading.local`` and therefore dies with its thread or greenlet."""

    __slots__ = ("__weakref__",)


class Owner:
    """One thread or greenlet, as the pool remembers it. Two are equal only if they are one."""

    __slots__ = ("_presence", "ident", "name")

    def __init__(self, presence: _Presence) -> None:
        self._presence = weakref.ref(presence)
        self.name = threading.current_thread().name
        self.ident = threading.get_ident()

    def ended(self) -> bool:
        """Whether the thread or greenlet is gone. Nothing had to run at its end for that."""
        return self._presence() is None

    def __repr__(self) -> str:
        return f"<Owner {self.name}{' (ended)' if self.ended() else ''}>"


def introduce(local: threading.local) -> Owner:
    """Make the calling thread or greenlet known in ``local``."""
    local.presence = presence = _Presence()
    local.owner = owner = Owner(presence)
    return owner
