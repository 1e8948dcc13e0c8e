"""Options that stand where nobody reads them, and what other pools have left behind: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from django_lifeline.core.options import LifelineOptions, PoolOptions
from django_lifeline.diagnosis.doctor.facts import Stray
from django_lifeline.diagnosis.text import N_

ENTRY_ITSELF = N_("the entry itself")
SETTINGS = N_("the settings")
ENTRY = frozenset(
    {
        *("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS", "TEST", "TIME_ZONE"),
        *("CONN_MAX_AGE", "CONN_HEALTH_CHECKS", "ATOMIC_REQUESTS", "AUTOCOMMIT"),
        "DISABLE_SERVER_SIDE_CURSORS",
    }
)
"""What Django itself reads of an entry of ``DATABASES``."""
OF_THE_ENTRY = {
    "CONN_MAX_AGE": N_("'CONN_MAX_AGE' beside OPTIONS"),
    "CONN_HEALTH_CHECKS": N_("'CONN_HEALTH_CHECKS' beside OPTIONS"),
    "ATOMIC_REQUESTS": N_("'ATOMIC_REQUESTS' beside OPTIONS"),
}
"""Those that people write into ``OPTIONS``, or the settings themselves; and their place."""
OF_THE_DRIVER = frozenset(
    {
        *("charset", "collation", "use_unicode", "init_command", "sql_mode", "isolation_level"),
        *("connect_timeout", "read_timeout", "write_timeout", "unix_socket", "local_infile"),
        *("ssl", "ssl_mode", "ssl_ca", "ssl_cert", "ssl_key", "client_flag", "compress"),
        *("read_default_file", "read_default_group", "max_allowed_packet", "cursorclass"),
    }
)
OF_THE_POOL = frozenset(field.name for field in fields(PoolOptions))
OURS = frozenset(field.name for field in fields(LifelineOptions))

OTHER_POOLS = {
    "dj_db_conn_pool": "django-db-connection-pool",
    "django_db_geventpool": "django-db-geventpool",
    "django_dbconn_retry": "django-dbconn-retry",
    "django_postgrespool": "django-postgrespool",
    "django_mysqlpool": "django-mysqlpool",
    "djorm_pool": "djorm-ext-pool",
}
"""Packages, by what is imported of them."""
_LEFT_IN_ENTRY = {"POOL_OPTIONS": "dj_db_conn_pool", "MAX_CONNS": "django_db_geventpool"}
_LEFT_IN_OPTIONS = {
    "MAX_CONNS": "django_db_geventpool",
    "REUSE_CONNS": "django_db_geventpool",
    "POOL_SIZE": "django_mysqlpool",
    "pool_size": "django_mysqlpool",
    "max_overflow": "dj_db_conn_pool",
    "pool_recycle": "dj_db_conn_pool",
    "pre_ping": "dj_db_conn_pool",
}
_LEFT_IN_SETTINGS = {
    "POOL_OPTIONS": "dj_db_conn_pool",
    "DATABASE_POOL_ARGS": "django_postgrespool",
    "DATABASE_POOL_CLASS": "django_postgrespool",
    "DJORM_POOL_OPTIONS": "djorm_pool",
    "DJORM_POOL_PESSIMISTIC": "djorm_pool",
    "MYSQLPOOL_ARGUMENTS": "django_mysqlpool",
    "MYSQLPOOL_BACKEND": "django_mysqlpool",
    "MAX_DBCONN_RETRY_TIMES": "django_dbconn_retry",
}


def misplaced(entry: Mapping[str, Any]) -> Iterator[Stray]:
    """Yield the options of an entry of ``DATABASES`` that stand a level too high, or too low."""
    options = entry.get("OPTIONS") or {}
    for name in entry:
        known = name in ENTRY or name in _LEFT_IN_ENTRY
        place = None if known else _place_of(name.lower())
        if place:
            yield Stray(name=name, found=ENTRY_ITSELF, belongs=place)
    for name in options:
        place = _place_of(name)
        if name.upper() in OF_THE_ENTRY:
            yield Stray(name=name, found="OPTIONS", belongs=OF_THE_ENTRY[name.upper()])
        elif place and place != f"OPTIONS[{name!r}]":
            yield Stray(name=name, found="OPTIONS", belongs=place)


def _place_of(name: str) -> str | None:
    if name in ("pool", "lifeline") or name in OF_THE_DRIVER:
        return f"OPTIONS[{name!r}]"
    if name in OF_THE_POOL:
        return f"OPTIONS['pool'][{name!r}]"
    return f"OPTIONS['lifeline'][{name!r}]" if name in OURS else None


def leftovers(entry: Mapping[str, Any], *, ours: bool) -> Iterator[Stray]:
    """Yield what an entry still says to a pool that is not its engine's."""
    engine = str(entry.get("ENGINE", ""))
    options = entry.get("OPTIONS") or {}
    for found, names, where in (
        (_LEFT_IN_ENTRY, entry, ENTRY_ITSELF),
        (_LEFT_IN_OPTIONS, options, "OPTIONS"),
    ):
        for name in names:
            package = found.get(name)
            if package and not engine.startswith(package):
                yield Stray(name=name, found=where, belongs=OTHER_POOLS[package])
    for name in ("pool", "lifeline"):
        if name in options and not ours:
            yield Stray(name=name, found="OPTIONS", belongs="django_lifeline.backends.mysql")
    for name in entry:
        if name.startswith("CONN_") and name not in ENTRY:
            yield Stray(name=name, found=ENTRY_ITSELF, belongs="")


def in_settings(names: Iterable[str], apps: Iterable[str]) -> Iterator[Stray]:
    """Yield the same of the project: names of its settings, and its installed apps."""
    for name in sorted(names):
        if name in OF_THE_ENTRY:
            yield Stray(name=name, found=SETTINGS, belongs=N_("the entry of DATABASES"))
        elif name in _LEFT_IN_SETTINGS:
            package = OTHER_POOLS[_LEFT_IN_SETTINGS[name]]
            yield Stray(name=name, found=SETTINGS, belongs=package)
    for app in apps:
        root = app.split(".")[0]
        if root in OTHER_POOLS:
            yield Stray(name=app, found="INSTALLED_APPS", belongs=OTHER_POOLS[root])
