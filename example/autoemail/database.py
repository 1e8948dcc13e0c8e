"""From ``DATABASE_URL``, ``LIFELINE_ARM`` and ``MYSQL_DRIVER`` to Django's ``DATABASES``."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

ENGINES = {
    "stock": "django.db.backends.mysql",
    "lifeline": "django_lifeline.backends.mysql",
}
DRIVERS = {"mysqlclient": "MySQLdb", "pymysql": "pymysql"}


def driver(environ: Mapping[str, str]) -> str:
    """The driver asked for, else mysqlclient, and PyMySQL where that cannot be compiled.

    Raises ``ValueError`` for one that does not exist.
    """
    wanted = environ.get("MYSQL_DRIVER", "")
    if wanted and wanted not in DRIVERS:
        raise ValueError(f"MYSQL_DRIVER is {wanted!r}; choose one of {', '.join(DRIVERS)}.")
    return wanted or ("mysqlclient" if importlib.util.find_spec("MySQLdb") else "pymysql")


def database(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the default database. Both arms differ in ENGINE and nothing else.

    Raises ``ValueError`` for an arm or an address that cannot be right.
    """
    arm = environ.get("LIFELINE_ARM", "lifeline")
    if arm not in ENGINES:
        raise ValueError(f"LIFELINE_ARM is {arm!r}; choose one of {', '.join(ENGINES)}.")
    return {
        "ENGINE": ENGINES[arm],
        **_address(environ.get("DATABASE_URL", "mysql://root@127.0.0.1/autoemail")),
        # Connections stay open, as on any site that cares for speed.
        "CONN_MAX_AGE": None,
    }


def _address(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    name = parts.path.lstrip("/")
    if parts.scheme not in ("mysql", "mariadb") or not name:
        raise ValueError("DATABASE_URL must look like mysql://user:password@host:3306/name")
    return {
        "NAME": name,
        "HOST": parts.hostname or "127.0.0.1",
        "PORT": parts.port or 3306,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),
    }
