"""What the integrations share: the end of a piece of work, the end of a process."""

from __future__ import annotations

from django.db import connections

from django_lifeline.backends.assembly import targets
from django_lifeline.scopes import connection_scope


def missing(extra: str) -> ImportError:
    """Return the error that names the *extra* to install."""
    return ImportError(
        f"django_lifeline.integrations.{extra} needs a package that is not installed: "
        f"pip install 'django-lifeline[{extra}]'"
    )


def give_back() -> None:
    """Give back what this thread or greenlet borrowed: a piece of work is over.

    Does nothing inside ``atomic`` or a ``connection_scope``, which give back at their own end.
    """
    with connection_scope():
        pass


def drain_pools() -> None:
    """Close this process's connections, with the goodbye that the server expects.

    For the end of a worker process: without it the server logs an aborted connection for each.
    What other threads use at this moment is closed when they give it back. A process that goes
    on working gets new connections.
    """
    targets.notice_fork()
    connections.close_all()
    for target in targets:
        target.pool.drain()
