"""How much memory an idle connection takes, and a greenlet that has run a query.

    python -m benchmarks.memory [--quick] [--rounds 3] [--connections 100] [--greenlets 1000]

Resident memory of the client, in a fresh process each time; and the sessions the server has then.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.arms import MYSQLCLIENT, PYMYSQL, PYMYSQL_TLS, Transport, Worker, running
from benchmarks.record import keep, options
from lifeline_lab.arms import LIFELINE, PERSISTENT, Arm
from lifeline_lab.servers import Server

TRANSPORTS = (MYSQLCLIENT, PYMYSQL, PYMYSQL_TLS)


@dataclass(frozen=True, slots=True)
class Holder:
    """Something that is held many times."""

    label: str
    arm: Arm
    action: str
    pool_of_all: bool = False

    @property
    def in_greenlets(self) -> bool:
        """Whether the worker needs gevent."""
        return self.action == "greenlets"


HOLDERS = (
    Holder("stock, idle connection of a thread", PERSISTENT, "wrappers"),
    Holder("lifeline, idle connection of a thread", LIFELINE, "wrappers", pool_of_all=True),
    Holder("lifeline, idle connection in the pool", LIFELINE, "pooled", pool_of_all=True),
    Holder("stock, greenlet after a query", PERSISTENT, "greenlets"),
    Holder("lifeline, greenlet after a query", LIFELINE, "greenlets"),
)


def measure(chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Measure every server and transport, one group of figures each."""
    most = max(chosen.connections, chosen.greenlets) + 50
    for flavour in chosen.servers:
        with running(flavour, max_connections=most) as server:
            for transport in TRANSPORTS:
                found: dict[str, list[dict[str, float]]] = {each.label: [] for each in HOLDERS}
                for _ in range(chosen.rounds):
                    for holder in HOLDERS:
                        found[holder.label].append(_held(holder, transport, server, chosen))
                yield {"server": flavour, "transport": transport.name, "kilobytes": found}


def _held(
    holder: Holder, transport: Transport, server: Server, chosen: argparse.Namespace
) -> dict[str, float]:
    count = chosen.greenlets if holder.in_greenlets else chosen.connections
    pool = {"pool": {"max_size": count + 1}} if holder.pool_of_all else {}
    worker = Worker(
        holder.arm,
        transport,
        server,
        gevent=holder.in_greenlets,
        units="benchmarks.holding",
        **pool,
    )
    try:
        found = worker.run(holder.action, count=count)
        return {**found, "sessions": _sessions(server)}
    finally:
        worker.close()


def _sessions(server: Server) -> int:
    rows = server.query("SHOW STATUS LIKE 'Threads_connected'")
    return int(rows[0][1]) - 1  # the one that asks


def main() -> None:
    chosen = options(__doc__, rounds=3, connections=100, greenlets=1000)
    keep("memory", chosen, measure(chosen))


if __name__ == "__main__":
    main()
