"""Who holds or waits: a thread, or under gevent a greenlet."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial


class _Presence:
    """Lives in a ``threading.local`` and therefore dies with its thread or greenlet."""

    __slots__ = ("__weakref__",)


class Owner:
    """One thread or greenlet, as the pool remembers it. Two are equal only if they are one."""

    __slots__ = ("__weakref__", "_presence", "ident", "name")

    def __init__(self, presence: _Presence, on_end: Callable[[Owner], None] | None = None) -> None:
        told = None if on_end is None else partial(_tell, weakref.ref(self), on_end)
        self._presence = weakref.ref(presence, told)
        self.name = threading.current_thread().name
        self.ident = threading.get_ident()

    def ended(self) -> bool:
        """Whether the thread or greenlet is gone. Nothing had to run at its end for that."""
        return self._presence() is None

    def __repr__(self) -> str:
        return f"<Owner {self.name}{' (ended)' if self.ended() else ''}>"


def introduce(local: threading.local, on_end: Callable[[Owner], None] | None = None) -> Owner:
    """Make the calling thread or greenlet known in ``local``.

    ``on_end`` is called when it ends, wherever that happens: it must not wait.
    """
    local.presence = presence = _Presence()
    local.owner = owner = Owner(presence, on_end)
    return owner


def _tell(
    owner: weakref.ref[Owner], on_end: Callable[[Owner], None], presence: weakref.ref[_Presence]
) -> None:
    ended = owner()
    if ended is not None:
        with suppress(Exception):  # nobody could catch it
            on_end(ended)
