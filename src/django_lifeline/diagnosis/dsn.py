"""A database given on the command line: ``mysql://user:password@host:port/name?option=value``."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django_lifeline.diagnosis.usage import UsageError

EXAMPLE = "mysql://user:password@host:3306/name?read_timeout=30"
STOCK_ENGINE = "django.db.backends.mysql"


def entry_from_dsn(dsn: str) -> dict[str, Any]:
    """Return the entry of ``DATABASES`` that *dsn* stands for; `UsageError` shows no password.

    What follows ``?`` is an option, or one of Django's settings where it is in capitals
    (``CONN_MAX_AGE=60``, ``ENGINE=…``). Values are read as JSON where they can be: numbers,
    ``true``, ``null``, ``{"max_size": 5}``. The host may be a Unix socket: ``?unix_socket=…``.
    """
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError:
        raise UsageError(f"--dsn has a port or host that cannot be read. Write {EXAMPLE}") from None
    if parts.scheme not in ("mysql", "mariadb"):
        raise UsageError(f"--dsn must begin with mysql:// or mariadb://. Write {EXAMPLE}")
    given = {name: _value(text) for name, text in parse_qsl(parts.query, keep_blank_values=True)}
    if not parts.hostname and "unix_socket" not in given:
        raise UsageError(f"--dsn names no host. Write {EXAMPLE}")
    entry: dict[str, Any] = {
        "ENGINE": STOCK_ENGINE,
        "HOST": parts.hostname or "",
        "PORT": str(port or ""),
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
    }
    entry |= {name: value for name, value in given.items() if name.isupper()}
    entry["OPTIONS"] = {name: value for name, value in given.items() if not name.isupper()}
    return entry


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(text, text)
