"""Which of Django's methods somebody has overridden, so that the shortcuts stand aside.

Django's wrapper is a contract: people subclass it, mix classes of monitoring tools in, put our
mixin in front of theirs. Whatever stock Django calls is to be called.
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from django.db.backends.mysql import base as stock

_OURS_AND_DJANGOS = ("django_lifeline.backends.", "django.db.backends.", "django.contrib.gis.")


def overridden(kind: type) -> frozenset[str]:
    """Return the attributes of Django's wrapper whose first definition is somebody else's."""
    known = _overridden.get(kind)
    if known is None:
        known = _overridden[kind] = frozenset(
            name for name in _names() if _is_foreign(next(_definitions(kind, name)))
        )
    return known


def covered(kind: type) -> frozenset[str]:
    """Return those that somebody else has overridden too, below the engine's own definition."""
    known = _covered.get(kind)
    if known is None:
        foreign = (name for name in _names() if any(map(_is_foreign, _definitions(kind, name))))
        known = _covered[kind] = frozenset(foreign) - overridden(kind)
    return known


_overridden: WeakKeyDictionary[type, frozenset[str]] = WeakKeyDictionary()
_covered: WeakKeyDictionary[type, frozenset[str]] = WeakKeyDictionary()


def _names() -> list[str]:
    return [name for name in dir(stock.DatabaseWrapper) if not name.startswith("__")]


def _definitions(kind: type, name: str) -> Iterator[type]:
    return (owner for owner in kind.__mro__ if name in owner.__dict__)


def _is_foreign(owner: type) -> bool:
    return not f"{owner.__module__}.".startswith(_OURS_AND_DJANGOS)
