"""What one unit calls, and what lifeline calls that stock Django with its connection kept does not.

    python -m benchmarks.calls [--unit request] [--driver mysqlclient] [--lines 60]

The figures depend neither on the machine nor on its load: tune by them.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.arms import MYSQLCLIENT, PYMYSQL, Transport, Worker, running
from lifeline_lab.arms import LIFELINE, PERSISTENT, Arm
from lifeline_lab.servers import Server

TRANSPORTS = {"mysqlclient": MYSQLCLIENT, "pymysql": PYMYSQL}


def counted(arm: Arm, transport: Transport, server: Server, unit: str) -> dict[str, Any]:
    """Count the calls of one unit in a worker of its own."""
    worker = Worker(arm, transport, server)
    try:
        if unit == "atomic_insert":
            worker.run("table")
        return worker.calls(unit)
    finally:
        worker.close()


def difference(ours: dict[str, float], theirs: dict[str, float]) -> list[tuple[str, float]]:
    """List what differs, the most frequent of ours first."""
    names = {*ours, *theirs}
    found = [(name, ours.get(name, 0) - theirs.get(name, 0)) for name in sorted(names)]
    return sorted((item for item in found if item[1]), key=lambda item: -item[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--unit", default="request")
    parser.add_argument("--driver", default="mysqlclient", choices=TRANSPORTS)
    parser.add_argument("--server", default="mariadb", choices=("mariadb", "mysql"))
    parser.add_argument("--lines", type=int, default=60)
    options = parser.parse_args()
    transport = TRANSPORTS[options.driver]
    with running(options.server) as server:
        ours = counted(LIFELINE, transport, server, options.unit)
        theirs = counted(PERSISTENT, transport, server, options.unit)
    for name, counts in ((LIFELINE.name, ours), (PERSISTENT.name, theirs)):
        print(f"{name:>18}: {counts['python']:6.1f} Python calls, {counts['native']:6.1f} native")
    for kind in ("by_function", "by_native"):
        print(f"\n{kind.replace('_', ' ')}, lifeline less stock persistent")
        for place, calls in difference(ours[kind], theirs[kind])[: options.lines]:
            print(f"{calls:+7.1f}  {place}")


if __name__ == "__main__":
    main()
