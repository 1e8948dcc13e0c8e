"""What a request with one query costs when each has a new thread, or a new greenlet.

    python -m benchmarks.request_threads [--quick] [--rounds 100] [--batch 15] [--server mysql]

Beside it, what lifeline's request costs in one and the same thread, and what it costs to start
a thread that does nothing: their sum is what cannot be got below.
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
    Transport,
    Turn,
    Worker,
    installed,
    running,
    take_turns,
)
from benchmarks.record import keep, options
from lifeline_lab.servers import Server

TRANSPORTS = (MYSQLCLIENT, PYMYSQL)


def measure(chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Measure every server and transport, one group of figures each."""
    for flavour in chosen.servers:
        # Stock leaves its connections to garbage collection when their threads have ended.
        with running(flavour, max_connections=2000) as server:
            for transport in TRANSPORTS:
                figures = {}
                for kind in ("thread", "greenlet"):
                    figures.update(_figures(server, transport, kind, chosen))
                place = {"server": flavour, "transport": transport.name}
                yield {**place, "figures": figures}


def _figures(
    server: Server, transport: Transport, kind: str, chosen: argparse.Namespace
) -> dict[str, dict[str, list[float]]]:
    with contextlib.ExitStack() as stack:
        turns = []
        for arm in (PERSISTENT, LIFELINE, PEER):
            if not installed(arm, transport):
                continue
            worker = Worker(arm, transport, server, gevent=kind == "greenlet")
            stack.callback(worker.close)
            turns.append(Turn(f"{arm.name}, new {kind}", worker, f"{kind}_request", chosen.batch))
            if arm is LIFELINE:
                turns.append(Turn(f"lifeline, same {kind}", worker, "request", chosen.batch))
                turns.append(Turn(f"bare {kind}", worker, f"bare_{kind}", chosen.batch))
        return take_turns(turns, chosen.rounds, chosen.seed, chosen.processes)


def main() -> None:
    chosen = options(__doc__, rounds=100, batch=15, processes=10)
    keep("request_threads", chosen, measure(chosen))


if __name__ == "__main__":
    main()
