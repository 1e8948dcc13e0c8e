"""Keeping what was measured: raw figures as JSON, with what they were measured on."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, print_tables, write_page
from lifeline_lab.servers import FLAVOURS, ServerMissing, find

PACKAGES = (
    *("Django", "django-lifeline", "mysqlclient", "PyMySQL"),
    *("django-db-connection-pool", "SQLAlchemy", "psycopg-pool", "gevent", "gunicorn"),
)


def options(description: str | None, **defaults: int) -> argparse.Namespace:
    """Read a benchmark's command line; ``defaults`` are its counts, each an option."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only see whether it still runs")
    parser.add_argument("--seed", type=int, default=1, help="of the order in which arms take turns")
    parser.add_argument("--server", action="append", choices=FLAVOURS, help="default: both")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the raw figures")
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    chosen = parser.parse_args()
    if chosen.quick:
        for name in defaults:
            setattr(chosen, name, min(2, getattr(chosen, name)))
        if chosen.out == RESULTS:
            chosen.out = RESULTS / "quick"
    chosen.servers = [flavour for flavour in chosen.server or FLAVOURS if _exists(flavour)]
    return chosen


def _exists(flavour: str) -> bool:
    try:
        find(flavour)
    except ServerMissing as error:
        print(f"Without {flavour}: {error}")
        return False
    return True


def keep(name: str, chosen: argparse.Namespace, groups: Iterable[dict[str, Any]]) -> None:
    """Write the figures to ``<out>/<name>.json``, print their tables, write the page anew."""
    load_before = os.getloadavg()
    measured = list(groups)
    counts = {key: value for key, value in vars(chosen).items() if isinstance(value, int)}
    record = {
        "name": name,
        "options": counts,
        **circumstances(load_before),
        "groups": measured,
    }
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    print_tables(record)
    if chosen.out == RESULTS:
        write_page()


def circumstances(load_before: tuple[float, ...]) -> dict[str, Any]:
    """Return when and on what something was measured that has just ended."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "machine": {
            "cores": os.cpu_count(),
            "processor": _processor(),
            "system": f"{platform.system()} {platform.release().split('-')[0]}",
            "load_before": [round(load, 2) for load in load_before],
            "load_after": [round(load, 2) for load in os.getloadavg()],
        },
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of everything that takes part."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    for flavour in FLAVOURS:
        if _exists(flavour):
            found[flavour] = find(flavour).version
    return found


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    match = re.search(r"model name\s*:\s*(.+)", text)
    return match[1] if match else platform.machine()
