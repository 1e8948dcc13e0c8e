"""From an entry of ``DATABASES`` to `Settings`: what matters of it, without its secrets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from django_lifeline.core.effects import Effect, effect_of
from django_lifeline.core.options import (
    LifelineOptions,
    OptionError,
    lifeline_options,
    pool_options,
)
from django_lifeline.diagnosis.doctor import strays
from django_lifeline.diagnosis.doctor.facts import Driver, Settings

DEFAULT_PORT = 3306
CLIENT_INTERACTIVE = 1024
LOCAL_NAMES = ("", "localhost")

_LITERAL = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"", re.DOTALL)
_ASSIGNED = re.compile(r"(\w+)\s*:?=")
_NAMES = re.compile(r"\bset\s+names\b", re.IGNORECASE)
_ISOLATION = re.compile(r"\bset\s+(?:session\s+)?transaction\s+isolation\b", re.IGNORECASE)


def read_settings(
    alias: str, entry: Mapping[str, Any], database: ModuleType, *, ours: bool, where: str = ""
) -> Settings:
    """Return the facts of an entry whose defaults Django has filled in.

    ``database`` is what Django imports as ``MySQLdb``; ``where`` is how messages name the entry.
    """
    options = entry.get("OPTIONS") or {}
    pool, lifeline, error = _our_options(options) if ours else (None, LifelineOptions(), "")
    where = where or f"DATABASES[{alias!r}]"
    host = str(options.get("unix_socket") or options.get("host") or entry.get("HOST") or "")
    driver = read_driver(database)
    init = str(options.get("init_command") or "")
    return Settings(
        alias=alias,
        where=where,
        engine=str(entry.get("ENGINE", "")),
        ours=ours,
        driver=driver,
        host=host,
        port=_port(options.get("port") or entry.get("PORT")),
        user=str(options.get("user") or entry.get("USER") or ""),
        name=str(options.get("db") or options.get("database") or entry.get("NAME") or ""),
        local=is_local(host),
        conn_max_age=entry.get("CONN_MAX_AGE", 0),
        health_checks=bool(entry.get("CONN_HEALTH_CHECKS", False)),
        autocommit=bool(entry.get("AUTOCOMMIT", True)),
        connect_timeout=_seconds(options, "connect_timeout"),
        read_timeout=_seconds(options, "read_timeout"),
        write_timeout=_seconds(options, "write_timeout"),
        streaming=getattr(options.get("cursorclass"), "__name__", "").startswith("SS"),
        interactive=bool(_flags(options) & CLIENT_INTERACTIVE),
        init_effect=effect_of(init) if init else Effect.NONE,
        init_sets=assigned(init),
        pool=pool,
        lifeline=lifeline,
        option_error=error,
        misplaced=tuple(strays.misplaced(entry)),
        leftovers=tuple(strays.leftovers(entry, ours=ours)),
    )


def read_driver(database: ModuleType) -> Driver:
    """Return which driver stands behind ``MySQLdb``, and its own version."""
    if database.__name__ == "pymysql":
        # Its version_info is that of the mysqlclient it stands in for.
        return Driver(name="PyMySQL", version=tuple(database.VERSION[:3]))
    return Driver(name="mysqlclient", version=tuple(database.version_info[:3]))


def is_local(host: str) -> bool:
    """Return whether the way to *host* stays on this machine, as far as its name tells."""
    if host in LOCAL_NAMES or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def assigned(sql: str) -> frozenset[str]:
    """Return the names that *sql* assigns to, in lower case; none of the values."""
    code = _LITERAL.sub("?", sql)
    names = {name.lower() for name in _ASSIGNED.findall(code)}
    if _NAMES.search(code):
        names.add("names")
    if _ISOLATION.search(code):
        names.add("transaction_isolation")
    return frozenset(names)


def _our_options(options: Mapping[str, Any]) -> tuple[Any, LifelineOptions, str]:
    try:
        pool = pool_options(options.get("pool", True))
        return pool, lifeline_options(options.get("lifeline", {})), ""
    except OptionError as error:
        return None, LifelineOptions(), str(error)


def _seconds(options: Mapping[str, Any], name: str) -> float | None:
    value = options.get(name)
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _port(value: object) -> int:
    text = str(value or DEFAULT_PORT)
    return int(text) if text.isdigit() else DEFAULT_PORT


def _flags(options: Mapping[str, Any]) -> int:
    flags = options.get("client_flag", 0)
    return flags if isinstance(flags, int) else 0
