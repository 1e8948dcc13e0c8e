"""Which of the ways a server cannot be reached it was: pure, for errors, logs and ``doctor``.

The numbers 2002 and 2003 say only that there is no connection. What tells more is the system's own
error behind them: a class where PyMySQL chains it, a number in brackets in a client library's text.
"""

from __future__ import annotations

import errno
import re

SOCKET, REFUSED, NAME, SILENT = (
    "socket_missing",
    "connection_refused",
    "name_unknown",
    "unreachable",
)
WAYS = (SOCKET, REFUSED, NAME, SILENT)
"""Causes of the catalogue."""

AT_ONCE = 1.0
"""Seconds within which a refusal comes; where nothing answers, connecting lasts its timeout."""

_BY_CLASS = {
    "FileNotFoundError": SOCKET,
    "PermissionError": SOCKET,
    "ConnectionRefusedError": REFUSED,
    "gaierror": NAME,
    "herror": NAME,
    "TimeoutError": SILENT,
    "timeout": SILENT,
    "ETIMEDOUT": SILENT,
    "EHOSTUNREACH": SILENT,
    "ENETUNREACH": SILENT,
}
_BY_NUMBER = {
    errno.ENOENT: SOCKET,
    errno.EACCES: SOCKET,
    errno.ECONNREFUSED: REFUSED,
    # Libmariadb connects without waiting, and reports that instead of the refusal.
    errno.EINPROGRESS: REFUSED,
    errno.ETIMEDOUT: SILENT,
    errno.EHOSTUNREACH: SILENT,
    errno.ENETUNREACH: SILENT,
}
_IN_BRACKETS = re.compile(r"\((\d{1,5})(?:\)|\b)")


def by_class(name: str) -> str:
    """Return the cause that the class of the system's error tells; empty where it tells none."""
    return _BY_CLASS.get(name, "")


def by_number(number: int) -> str:
    """Return the cause that the number of the system's error tells; empty where it tells none."""
    return _BY_NUMBER.get(number, "")


def number_in(text: str) -> int:
    """Return the system's number that a client library puts at the end of its text; 0 for none."""
    found = _IN_BRACKETS.findall(text)
    return int(found[-1]) if found else 0


def is_local(place: str) -> bool:
    """Whether a pool's name, ``user@host:port/database``, leads to a Unix socket."""
    host = place.rpartition("@")[2]
    return host.startswith(("/", ":", "localhost"))
