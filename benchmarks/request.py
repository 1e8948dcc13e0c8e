"""What a request with one query costs, through Django's handler with its signals.

    python -m benchmarks.request [--quick] [--rounds 150] [--batch 20] [--server mariadb]

The floor is the same view on a plain connection of the driver. Each arm runs in a process of
its own with only that database configured, and the arms take turns.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Any

from benchmarks.arms import (
    ALL,
    FLOOR,
    MYSQLCLIENT,
    PYMYSQL,
    PYMYSQL_TLS,
    STOCK,
    Transport,
    Turn,
    Worker,
    calls,
    installed,
    running,
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
        for arm in ALL:
            if installed(arm, transport):
                worker = Worker(arm, transport, server)
                stack.callback(worker.close)
                unit = "bare_request" if arm is FLOOR else "request"
                # Stock at its defaults connects for each request.
                count = transport.batch(chosen.batch) if arm is STOCK else chosen.batch
                turns.append(Turn(arm.name, worker, unit, count))
        return {
            "server": server.flavour,
            "transport": transport.name,
            "calls": calls(turns),
            "figures": take_turns(turns, chosen.rounds, chosen.seed, chosen.processes),
        }


def main() -> None:
    chosen = options(__doc__, rounds=150, batch=20, processes=10)
    keep("request", chosen, measure(chosen))


if __name__ == "__main__":
    main()
