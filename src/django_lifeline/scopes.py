"""Give connections back at the end of a block, and look at the pools.

Nothing here is needed for correctness. A scope only returns a lease earlier than the end of the
thread, task or request would.

Nothing here loads the engine either, which needs a driver: a project may have another database at
home, and a library may use a scope in programs that have none.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, overload

from django.conf import ENVIRONMENT_VARIABLE, settings
from django.db import connections

from django_lifeline.core.drivers.base import DriverConnection
from django_lifeline.core.pool import DirectPool, Pool

if TYPE_CHECKING:
    from django_lifeline.backends.borrowing import Borrowing

F = TypeVar("F", bound=Callable[..., Any])


class ConnectionScope:
    """A block, or the run of a function, at whose end the leases it used go back.

    Scopes nest: only the outermost one of a thread and alias gives back. Inside ``atomic``
    nothing is given back, since the transaction needs its connection.
    """

    def __init__(self, using: str | None = None) -> None:
        self.using = using

    def __enter__(self) -> None:
        for wrapper in self._wrappers(initialized_only=False):
            wrapper.scopes_entered += 1

    def __exit__(self, *exc_info: object) -> None:
        for wrapper in self._wrappers(initialized_only=True):
            wrapper.scopes_entered = max(0, wrapper.scopes_entered - 1)
            if wrapper.scopes_entered == 0 and not wrapper.in_atomic_block:
                wrapper.close_if_unusable_or_obsolete()
                wrapper.leave_nothing()

    def _wrappers(self, *, initialized_only: bool) -> list[Borrowing]:
        if self.using is not None:
            found = [connections[self.using]]
        elif _has_settings():
            found = connections.all(initialized_only=initialized_only)
        else:
            found = []
        return [wrapper for wrapper in found if _is_ours(wrapper)]

    def __call__(self, function: F) -> F:
        """Run *function*, of any kind, inside the scope; a generator keeps it while it runs."""
        for matches, wrap in _KINDS:
            if matches(function):
                return functools.wraps(function)(wrap(self, function))  # type: ignore[return-value]
        return functools.wraps(function)(_around_call(self, function))  # type: ignore[return-value]


def _has_settings() -> bool:
    """Whether the process has Django's settings, perhaps not read yet."""
    return settings.configured or bool(os.environ.get(ENVIRONMENT_VARIABLE))


def _is_ours(wrapper: object) -> TypeGuard[Borrowing]:
    """Whether *wrapper* is of our engine, which it has loaded then."""
    engine = sys.modules.get("django_lifeline.backends.borrowing")
    # Another thread may be loading it at this moment, for a wrapper that is not this one.
    kind = getattr(engine, "Borrowing", None)
    return kind is not None and isinstance(wrapper, kind)


def _around_call(scope: ConnectionScope, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        with scope:
            return function(*args, **kwargs)

    return run


def _around_generator(scope: ConnectionScope, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with scope:
            return (yield from function(*args, **kwargs))

    return run


def _around_coroutine(scope: ConnectionScope, function: Callable[..., Any]) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> Any:
        await _in_sync_thread(scope.__enter__)
        try:
            return await function(*args, **kwargs)
        finally:
            await _in_sync_thread(scope.__exit__)

    return run


def _around_async_generator(
    scope: ConnectionScope, function: Callable[..., Any]
) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        await _in_sync_thread(scope.__enter__)
        try:
            async for item in function(*args, **kwargs):
                yield item
        finally:
            await _in_sync_thread(scope.__exit__)

    return run


async def _in_sync_thread(call: Callable[[], None]) -> None:
    """Enter and leave where Django's async ORM borrows: in the thread that runs its sync parts.

    Several coroutines share that thread and its connection. It goes back with the last of them,
    since the others may count on their session.
    """
    from asgiref.sync import sync_to_async

    await sync_to_async(call)()


_KINDS: list[tuple[Callable[[Any], bool], Callable[..., Callable[..., Any]]]] = [
    (inspect.isasyncgenfunction, _around_async_generator),
    (inspect.iscoroutinefunction, _around_coroutine),
    (inspect.isgeneratorfunction, _around_generator),
]


@overload
def connection_scope(using: F) -> F: ...
@overload
def connection_scope(using: str | None = None) -> ConnectionScope: ...
def connection_scope(using: Any = None) -> Any:
    """Give connections back at the end of a ``with`` block or of a function.

    *using* is an alias of ``DATABASES``; None means all of them. As a decorator it works on
    functions, generators, coroutines and async generators, with or without parentheses.
    Exceptions pass through unchanged.
    """
    if callable(using):
        return ConnectionScope()(using)
    return ConnectionScope(using)


class Pools:
    """The pools of this process by alias: ``pools["default"].stats()``."""

    def __getitem__(self, alias: str) -> Pool[DriverConnection] | DirectPool[DriverConnection]:
        """Return the pool of *alias*.

        Raises ``ConnectionDoesNotExist`` for an unknown alias and ``TypeError`` for one whose
        engine is another.
        """
        wrapper = connections[alias]
        if not _is_ours(wrapper):
            raise TypeError(
                f"DATABASES[{alias!r}] has no pool: its ENGINE is "
                f"{wrapper.settings_dict['ENGINE']!r}. Set it to 'django_lifeline.backends.mysql'."
            )
        return wrapper.pool

    def __iter__(self) -> Iterator[str]:
        """Return the aliases that have a pool; none where there are no settings."""
        aliases = connections if _has_settings() else ()
        return (alias for alias in aliases if _is_ours(connections[alias]))


pools = Pools()
