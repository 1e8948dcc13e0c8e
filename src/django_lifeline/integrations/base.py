"""What the integrations share: the end of a piece of work, the end of a process.

Configuration files of servers and workers import this before Django's settings are read, where
PyMySQL may yet take mysqlclient's place. So nothing here imports the engine: as long as no database
has it, as in development on SQLite, there is nothing to do, and perhaps no driver is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def missing(extra: str, package: str = "a package") -> ImportError:
    """Return the error that names the *extra* to install."""
    return ImportError(
        f"django_lifeline.integrations.{extra} needs {package}, which is not installed: "
        f"pip install 'django-lifeline[{extra}]'"
    )


def _engine_in_use() -> bool:
    """Whether any connection of this process can be ours."""
    return "django_lifeline.backends.borrowing" in sys.modules


def give_back() -> None:
    """Give back what this thread or greenlet borrowed: a piece of work is over.

    Does nothing inside ``atomic`` or a ``connection_scope``, which give back at their own end.
    """
    if not _engine_in_use():
        return
    from django_lifeline.scopes import connection_scope

    with connection_scope():
        pass


def in_scope(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Call *function* and give back what it borrowed, whether it fails or not."""
    try:
        return function(*args, **kwargs)
    finally:
        give_back()


def let_go_of_parents() -> None:
    """In a forked child: let go of what was inherited, without a word to any server.

    Python's own forks do it by themselves. After others it is done when the child first borrows.
    """
    if not _engine_in_use():
        return
    from django_lifeline.backends.assembly import targets

    targets.notice_fork()


def drain_pools() -> None:
    """Close this process's connections, with the goodbye that the server expects.

    For the end of a worker process: without it the server may log an aborted connection for each.
    What other threads use at this moment is closed when they give it back. A process that goes
    on working gets new connections.
    """
    if not _engine_in_use():
        return
    from django_lifeline.backends.assembly import targets

    targets.notice_fork()
    give_back()
    for target in targets:
        target.pool.drain()
