"""Asks a running server for its variables: one connection, read only, every wait bounded."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from django_lifeline.diagnosis.explain.explanation import LiveServer
from django_lifeline.diagnosis.explain.variables import NAMES, STATUS
from django_lifeline.diagnosis.usage import UsageError

PATIENCE = 5
"""Seconds for connecting, and for each answer."""

_SCHEMES = ("mysql", "mariadb", "mysql+pymysql", "mysql+mysqldb")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is and who asks; the password stays out of ``repr``."""

    host: str
    port: int
    user: str
    options: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Address({self.host!r}, {self.port})"


def address_of(dsn: str) -> Address:
    """Read ``mysql://user:password@host:port/name``; `UsageError` for anything else."""
    try:
        parts = urlsplit(dsn)
        port = parts.port or 3306
    except ValueError:
        raise UsageError("--dsn has a port that is no number") from None
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise UsageError("--dsn takes mysql://user:password@host:port/name")
    password = {"password": unquote(parts.password)} if parts.password else {}
    return Address(parts.hostname, port, unquote(parts.username or ""), password)


def ask(address: Address) -> LiveServer:
    """Return what the server says of itself; `UsageError` if it cannot be asked."""
    driver = _driver()
    try:
        connection = driver.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            connect_timeout=PATIENCE,
            read_timeout=PATIENCE,
            **address.options,
        )
        try:
            return _read(connection)
        finally:
            connection.close()
    except driver.MySQLError as error:
        # Only the number: the text names the account.
        code = error.args[0] if error.args else type(error).__name__
        where = f"{address.host}:{address.port}"
        raise UsageError(f"the server at {where} cannot be asked (error {code})") from None


def _driver() -> Any:
    for name in ("MySQLdb", "pymysql"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise UsageError("--dsn needs a driver: pip install mysqlclient, or PyMySQL")


def _read(connection: Any) -> LiveServer:
    with connection.cursor() as cursor:
        values = _rows(cursor, "VARIABLES", NAMES) | _rows(cursor, "STATUS", STATUS)
        cursor.execute("SELECT UNIX_TIMESTAMP()")
        now = float(cursor.fetchone()[0])
    uptime = values.get("Uptime")
    return LiveServer(values, None if uptime is None else now - uptime)


def _rows(cursor: Any, kind: str, names: tuple[str, ...]) -> dict[str, int]:
    places = ", ".join(["%s"] * len(names))
    cursor.execute(f"SHOW GLOBAL {kind} WHERE Variable_name IN ({places})", names)
    return {name: int(value) for name, value in cursor.fetchall() if str(value).isdigit()}
