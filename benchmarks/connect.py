"""What a new connection costs, and what a statement costs beside the driver alone.

    python -m benchmarks.connect [--quick] [--rounds 61] [--batch 10] [--server mariadb]

A batch of statements is ten times as long as one of connections.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Any

from benchmarks.arms import (
    LIFELINE,
    MYSQLCLIENT,
    MYSQLCLIENT_TLS,
    PERSISTENT,
    PYMYSQL,
    PYMYSQL_TLS,
    Transport,
    Turn,
    Worker,
    calls,
    running,
    statements,
    take_turns,
)
from benchmarks.record import keep, options
from lifeline_lab.servers import Server

TRANSPORTS = (MYSQLCLIENT, MYSQLCLIENT_TLS, PYMYSQL, PYMYSQL_TLS)


def measure(chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Measure every server and transport, one group of figures each."""
    for flavour in chosen.servers:
        with running(flavour) as server:
            for transport in TRANSPORTS:
                yield group(server, transport, chosen)


def group(server: Server, transport: Transport, chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure all arms in turns on one server, over one transport."""
    with contextlib.ExitStack() as stack:

        def worker(*arguments: Any, **more: Any) -> Worker:
            started = Worker(*arguments, **more)
            stack.callback(started.close)
            return started

        stock = worker(PERSISTENT, transport, server)
        pooled = worker(LIFELINE, transport, server)
        alone = worker(LIFELINE, transport, server, pool=False)
        few = transport.batch(chosen.batch)
        opening = [
            Turn("driver, connect", stock, "bare_connect", few),
            Turn("stock, connect", stock, "connect", few),
            Turn("lifeline, connect", alone, "connect", few),
            Turn("stock, connect in a new wrapper", stock, "connect_in_a_new_wrapper", few),
            Turn("lifeline, connect in a new wrapper", alone, "connect_in_a_new_wrapper", few),
        ]
        running_ones = [
            Turn("driver, statement", stock, "bare_statement", chosen.batch * 10),
            Turn("stock, statement", stock, "statement", chosen.batch * 10),
            Turn("lifeline, statement", pooled, "statement", chosen.batch * 10),
        ]
        return {
            "server": server.flavour,
            "transport": transport.name,
            "calls": calls(running_ones),
            "statements": statements(server, opening),
            "figures": take_turns(opening + running_ones, chosen.rounds, chosen.seed),
        }


def main() -> None:
    chosen = options(__doc__, rounds=61, batch=10)
    keep("connect", chosen, measure(chosen))


if __name__ == "__main__":
    main()
