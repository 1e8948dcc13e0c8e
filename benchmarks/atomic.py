"""What ``transaction.atomic()`` round one INSERT costs.

    python -m benchmarks.atomic [--quick] [--rounds 150] [--batch 20] [--server mariadb]

Stock sends ``SET autocommit = 0``, the INSERT, COMMIT and ``SET autocommit = 1``.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Any

from benchmarks.arms import (
    LIFELINE,
    MYSQLCLIENT,
    PEER,
    PERSISTENT,
    PYMYSQL,
    PYMYSQL_TLS,
    Transport,
    Turn,
    Worker,
    calls,
    installed,
    running,
    statements,
    take_turns,
)
from benchmarks.record import keep, options
from lifeline_lab.servers import Server

TRANSPORTS = (MYSQLCLIENT, PYMYSQL, PYMYSQL_TLS)


def measure(chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Measure every server and transport, one group of figures each."""
    for flavour in chosen.servers:
        with running(flavour) as server:
            for transport in TRANSPORTS:
                yield group(server, transport, chosen)


def group(server: Server, transport: Transport, chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure all arms in turns on one server, over one transport."""
    with contextlib.ExitStack() as stack:
        turns = []
        for arm in (PERSISTENT, LIFELINE, PEER):
            if installed(arm, transport):
                worker = Worker(arm, transport, server)
                stack.callback(worker.close)
                worker.run("table")
                turns.append(Turn(arm.name, worker, "atomic_insert", chosen.batch))
        return {
            "server": server.flavour,
            "transport": transport.name,
            "calls": calls(turns),
            "statements": statements(server, turns),
            "figures": take_turns(turns, chosen.rounds, chosen.seed, chosen.processes),
        }


def main() -> None:
    chosen = options(__doc__, rounds=150, batch=20, processes=10)
    keep("atomic", chosen, measure(chosen))


if __name__ == "__main__":
    main()
