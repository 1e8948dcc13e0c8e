"""A user's own server: nothing is changed but tables of ours, no session is killed but ours."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lifeline_lab.admin import Admin, Login
from lifeline_lab.cell import Place

EXAMPLE = "mysql://user:password@host:3306/database"


@dataclass(frozen=True)
class YourServer:
    """Where it is; ``repr`` shows no password."""

    login: Login
    database: str

    @contextmanager
    def place(self, flavour: str, variables: Mapping[str, object]) -> Iterator[Place]:
        """Give the server to the cells as it is: ``variables`` are not set on it."""
        admin = Admin(self.login, self.database)
        try:
            admin.run("SELECT 1")
        finally:
            admin.close()
        yield Place(flavour, admin=self.login, user=self.login, database=self.database)


def from_dsn(dsn: str) -> YourServer:
    """Read ``mysql://user:password@host:port/database``; `ValueError` never shows a password."""
    try:
        parts = urlsplit(dsn)
        port = parts.port or 3306
    except ValueError:
        raise ValueError(f"--dsn cannot be read. Write it as {EXAMPLE}") from None
    database = parts.path.strip("/")
    if parts.scheme not in ("mysql", "mariadb") or not parts.hostname or not database:
        raise ValueError(f"--dsn needs a host and a database. Write it as {EXAMPLE}")
    user, password = unquote(parts.username or "root"), unquote(parts.password or "")
    return _checked(Login(user, password, _tcp(parts.hostname), port), database)


def from_settings(name: str) -> YourServer:
    """Read an entry of ``DATABASES``, named as ``module`` or ``module:alias``."""
    module, _, alias = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        entries = importlib.import_module(module).DATABASES
        entry = entries[alias or "default"]
    except (ImportError, AttributeError, KeyError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise ValueError(
            f"--settings {name}: there is no such DATABASES entry ({problem})"
        ) from None
    host = str(entry.get("HOST") or "127.0.0.1")
    if host.startswith("/"):
        raise ValueError("--settings needs a HOST with TCP; a socket's path does not do here")
    login = Login(
        str(entry.get("USER", "")),
        str(entry.get("PASSWORD", "")),
        _tcp(host),
        int(entry.get("PORT") or 3306),
    )
    return _checked(login, str(entry.get("NAME", "")))


def _tcp(host: str) -> str:
    """Drivers take "localhost" for a Unix socket."""
    return "127.0.0.1" if host == "localhost" else host


def _checked(login: Login, database: str) -> YourServer:
    if not database.replace("_", "").replace("-", "").isalnum():
        raise ValueError("the database's name may have letters, digits, _ and - only")
    return YourServer(login, database)
