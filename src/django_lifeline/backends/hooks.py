"""Which of Django's methods somebody has overridden, so that the shortcuts stand aside.

Django's wrapper is a contract: people subclass it, mix classes of monitoring tools in, put our
mixin in front of theirs, replace methods of Django's class or of one wrapper. Whatever stock
Django calls is to be called.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import django
from django.db.backends.mysql import base as stock

_OURS_AND_DJANGOS = ("django_lifeline.backends.", "django.db.backends.", "django.contrib.gis.")
_DJANGOS_FILES = str(Path(django.__file__).parent)


def overridden(kind: type) -> frozenset[str]:
    """Return the attributes of Django's wrapper whose first definition is somebody else's."""
    known = _overridden.get(kind)
    if known is None:
        known = _overridden[kind] = frozenset(
            name for name in _names() if _is_foreign(next(_definitions(kind, name)))
        )
    return known


def covered(kind: type) -> Covered:
    """Return those that somebody else has overridden too, below the engine's own definition."""
    known = _covered.get(kind)
    if known is None:
        foreign = (name for name in _names() if any(map(_is_foreign, _definitions(kind, name))))
        known = _covered[kind] = Covered(frozenset(foreign) - overridden(kind))
    return known


class Covered(frozenset[str]):
    """Names of methods; those that are replaced in Django's own class at the moment are in it."""

    def __contains__(self, name: object) -> bool:
        return frozenset.__contains__(self, name) or is_replaced(str(name))

    def by_a_class(self, name: str) -> bool:
        """Whether a class between the engine's and Django's has its own."""
        return frozenset.__contains__(self, name)


def is_replaced(name: str) -> bool:
    """Whether somebody has put his own in the place of a method in Django's class."""
    return getattr(stock.DatabaseWrapper, name) is not _genuine.get(name)


class Shortcut:
    """A way round some methods of Django's, open as long as nobody would miss the calls."""

    def __init__(self, *skipped: str, properties: tuple[str, ...] = ()) -> None:
        self._skipped = frozenset(skipped)
        self._properties = frozenset(properties)
        self._found: Any = attrgetter(*skipped)
        self._genuine = tuple(_genuine.get(name) for name in skipped)

    def suits(self, kind: type) -> bool:
        """Whether a class of wrappers leaves alone what is skipped."""
        return (self._skipped | self._properties).isdisjoint(overridden(kind) | covered(kind))

    def is_open(self, wrapper: Any) -> bool:
        """Whether nobody has replaced anything in Django's class, or in *wrapper* alone."""
        found: bool = self._found(stock.DatabaseWrapper) == self._genuine
        return found and wrapper.__dict__.keys().isdisjoint(self._skipped)


_overridden: WeakKeyDictionary[type, frozenset[str]] = WeakKeyDictionary()
_covered: WeakKeyDictionary[type, Covered] = WeakKeyDictionary()


def _names() -> list[str]:
    return [name for name in dir(stock.DatabaseWrapper) if not name.startswith("__")]


def _definitions(kind: type, name: str) -> Iterator[type]:
    return (owner for owner in kind.__mro__ if name in owner.__dict__)


def _is_foreign(owner: type) -> bool:
    return not f"{owner.__module__}.".startswith(_OURS_AND_DJANGOS)


def _is_djangos(value: object) -> bool:
    """Whether it is written in Django's own files; decorated by Django counts."""
    code = getattr(getattr(value, "fget", getattr(value, "func", value)), "__code__", None)
    return code is None or code.co_filename.startswith(_DJANGOS_FILES)


_found = {name: getattr(stock.DatabaseWrapper, name) for name in _names()}
_genuine = {name: value for name, value in _found.items() if _is_djangos(value)}
"""As Django made them. What was replaced before this module was imported is not among them."""
