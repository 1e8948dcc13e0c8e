"""Which of Django's methods somebody has overridden, so that the shortcuts stand aside.

Django's wrapper is a contract: people subclass it, mix classes of monitoring tools in, put our
mixin in front of theirs, replace methods of Django's class or of one wrapper. Whatever stock
Django calls is to be called.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

import django
from django.db.backends.mysql import base as stock

_CLASS = stock.DatabaseWrapper
_OURS_AND_DJANGOS = ("django_lifeline.backends.", "django.db.backends.", "django.contrib.gis.")
_DJANGOS_FILES = str(Path(django.__file__).parent)


class Watchful(type):
    """A class of wrappers that notices what is put into it later, as mocks and tools do.

    So nobody has to look while it works.
    """

    _as_written: Mapping[str, object]
    _overridden: frozenset[str]
    """The attributes of Django's wrapper whose first definition is somebody else's."""
    _shortcuts: Mapping[str, Shortcut]
    """The shorter ways of the class, each with the attribute that says whether it may be taken."""
    _covered: Covered
    """Those that somebody else has overridden too, below the engine's own definition."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        cls._as_written = dict(vars(cls))
        cls.consider()

    def __setattr__(cls, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name in _found:
            cls._consider_all()

    def __delattr__(cls, name: str) -> None:
        super().__delattr__(name)
        if name in _found:
            cls._consider_all()

    def _consider_all(cls) -> None:
        cls.consider()
        below: Any = cls.__subclasses__()
        for kind in below:
            kind._consider_all()

    def consider(cls) -> None:
        """Find out which of Django's methods are somebody else's."""
        first, any_ = set(), set()
        for name in _names():
            foreign = [_is_foreign(owner, name) for owner in _definitions(cls, name)]
            if foreign[0]:
                first.add(name)
            elif any(foreign):
                any_.add(name)
        cls._overridden, cls._covered = frozenset(first), Covered(any_)
        for flag, way in cls._shortcuts.items():
            setattr(cls, flag, way.suits(cls))


_has = frozenset.__contains__


class Covered(frozenset[str]):
    """Names of methods; those that are replaced in Django's own class at the moment are in it."""

    def __contains__(self, name: object) -> bool:
        # As `is_replaced`, in place: this is asked several times in each block.
        return _has(self, name) or getattr(_CLASS, name) is not _find(name)  # type: ignore[call-overload]

    def by_a_class(self, name: str) -> bool:
        """Whether a class between the engine's and Django's has its own."""
        return _has(self, name)


def is_replaced(name: str) -> bool:
    """Whether somebody has put his own in the place of a method in Django's class."""
    return getattr(_CLASS, name) is not _find(name)


class Shortcut:
    """A way round some methods of Django's, open as long as nobody would miss the calls."""

    def __init__(self, *skipped: str, properties: tuple[str, ...] = ()) -> None:
        self._skipped = frozenset(skipped)
        self._properties = frozenset(properties)
        self._found: Any = attrgetter(*skipped)
        genuine = tuple(_genuine.get(name) for name in skipped)
        self._genuine = genuine if len(skipped) > 1 else genuine[0]

    def suits(self, kind: Watchful) -> bool:
        """Whether a class of wrappers leaves alone what is skipped."""
        return (self._skipped | self._properties).isdisjoint(kind._overridden | kind._covered)

    def is_open(self, wrapper: Any) -> bool:
        """Whether nobody has replaced anything in Django's class, or in *wrapper* alone."""
        found: bool = self._found(_CLASS) == self._genuine
        return found and wrapper.__dict__.keys().isdisjoint(self._skipped)


def _names() -> list[str]:
    return [name for name in dir(_CLASS) if not name.startswith("__")]


def _definitions(kind: type, name: str) -> Iterator[type]:
    return (owner for owner in kind.__mro__ if name in owner.__dict__)


def _is_foreign(owner: type, name: str) -> bool:
    """Whether somebody else has written *owner*, or has put *name* into it since."""
    if not f"{owner.__module__}.".startswith(_OURS_AND_DJANGOS):
        return True
    return isinstance(owner, Watchful) and vars(owner)[name] is not owner._as_written.get(name)


def _is_djangos(value: object) -> bool:
    """Whether it is written in Django's own files; decorated by Django counts."""
    value = getattr(value, "fget", getattr(value, "func", value))
    code = getattr(value, "__code__", None)
    if code is not None and code.co_filename == contextlib.__file__:
        code = getattr(getattr(value, "__wrapped__", value), "__code__", code)
    return code is None or code.co_filename.startswith(_DJANGOS_FILES)


_found = {name: getattr(_CLASS, name) for name in _names()}
_genuine = {name: value for name, value in _found.items() if _is_djangos(value)}
"""As Django made them. What was replaced before this module was imported is not among them."""
_find = _genuine.get
