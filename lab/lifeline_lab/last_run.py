"""The line of every page of results that says when it was measured, and with what."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata

DRIVERS = ("mysqlclient", "PyMySQL")


def installed(packages: Iterable[str] = DRIVERS) -> dict[str, str]:
    """Return the versions of Python, Django and those of the packages that are installed."""
    found = {"Python": platform.python_version()}
    for name in ("Django", *packages):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def last_run(versions: Mapping[str, str]) -> str:
    """Return the line for a run of today."""
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"Last run: {datetime.date.today()}, with {named}."
