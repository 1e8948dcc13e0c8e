"""Asks a running server for its variables: one connection, read only, every wait bounded."""

from __future__ import annotations

import importlib
from contextlib import closing
from typing import Any

from django_lifeline.diagnosis.dsn import entry_from_dsn
from django_lifeline.diagnosis.explain.explanation import LiveServer
from django_lifeline.diagnosis.explain.variables import NAMES, STATUS
from django_lifeline.diagnosis.usage import UsageError

PATIENCE = 5
"""Seconds for connecting, and for each answer."""

_NOT_THE_DRIVERS = ("pool", "lifeline", "init_command")


def ask(dsn: str) -> LiveServer:
    """Return what the server at *dsn* says of itself; `UsageError` if it cannot be asked."""
    entry = entry_from_dsn(dsn)
    driver = _driver()
    try:
        with closing(driver.connect(**_params(entry))) as connection:
            return _read(connection)
    except driver.MySQLError as error:
        # Only the number: the text names the account.
        code = error.args[0] if error.args else type(error).__name__
        raise UsageError(f"the server of --dsn cannot be asked (error {code})") from None


def _params(entry: dict[str, Any]) -> dict[str, Any]:
    options = {n: v for n, v in entry["OPTIONS"].items() if n not in _NOT_THE_DRIVERS}
    named = {"host": entry["HOST"], "user": entry["USER"], "password": entry["PASSWORD"]}
    named["port"] = int(entry["PORT"] or 0)
    bounds = {"connect_timeout": PATIENCE, "read_timeout": PATIENCE}
    return {name: value for name, value in named.items() if value} | options | bounds


def _driver() -> Any:
    for name in ("MySQLdb", "pymysql"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise UsageError("--dsn needs a driver: pip install mysqlclient, or PyMySQL")


def _read(connection: Any) -> LiveServer:
    with closing(connection.cursor()) as cursor:
        values = _rows(cursor, "VARIABLES", NAMES) | _rows(cursor, "STATUS", STATUS)
        cursor.execute("SELECT UNIX_TIMESTAMP()")
        now = float(cursor.fetchone()[0])
    uptime = values.get("Uptime")
    return LiveServer(values, None if uptime is None else now - uptime)


def _rows(cursor: Any, kind: str, names: tuple[str, ...]) -> dict[str, int]:
    places = ", ".join(["%s"] * len(names))
    cursor.execute(f"SHOW GLOBAL {kind} WHERE Variable_name IN ({places})", names)
    return {name: int(value) for name, value in cursor.fetchall() if str(value).isdigit()}
