"""``python -m lifeline_lab.servers install|plan [mariadb|mysql]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lifeline_lab.servers.installation import FLAVOURS, ServerMissing

NAMES = {"mariadb": "MariaDB", "mysql": "MySQL 9"}


def main() -> int:
    """Install what is missing; return 1 when a server stays missing."""
    parser = argparse.ArgumentParser(prog="python -m lifeline_lab.servers")
    parser.add_argument("action", choices=["install", "plan"])
    parser.add_argument("flavour", nargs="?", choices=FLAVOURS, help="both if not given")
    chosen = parser.parse_args()
    wanted = (chosen.flavour,) if chosen.flavour else FLAVOURS
    if chosen.action == "plan":
        return _tell(wanted)
    missing = [
        flavour
        for number, flavour in enumerate(wanted, 1)
        if not _install_one(flavour, f"[{number}/{len(wanted)}] {NAMES[flavour]}")
    ]
    return 1 if missing else 0


def _tell(wanted: Sequence[str]) -> int:
    """Print what would be fetched; nothing is."""
    from lifeline_lab.servers.install import plan

    for told in filter(None, map(plan, wanted)):
        print(told)
    return 0


def _install_one(flavour: str, title: str) -> bool:
    from lifeline_lab.servers.install import install

    def progress(step: str) -> None:
        # On a terminal one line that changes, in a log one line per step.
        start, end = ("\r\x1b[K", "") if sys.stdout.isatty() else ("", "\n")
        print(f"{start}{title}: {step} …", end=end, flush=True)

    progress("looking for it")
    start = "\r\x1b[K" if sys.stdout.isatty() else ""
    try:
        found = install(flavour, progress)
    except ServerMissing as error:
        print(f"{start}{title}: MISSING. {error}", flush=True)
        return False
    print(f"{start}{title}: {found.version}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
