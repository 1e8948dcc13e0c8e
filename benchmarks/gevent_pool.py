"""200 requests at once, each with a query of 50 ms, on a pool of 20 under gunicorn -k gevent.

    python -m benchmarks.gevent_pool [--quick] [--rounds 5] [--server mariadb]

The visitors are another process. Each arm's site has one worker and stays up for all rounds;
one burst of each is not counted, so that what is measured is not the start.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import SITE_SPECIFICATION
from benchmarks.arms import MYSQLCLIENT, PYMYSQL, ROOT, Transport, database, running
from benchmarks.record import keep, options
from lifeline_lab.arms import LIFELINE, STOCK, Arm
from lifeline_lab.programs.servers_of_pages import fetch, free_port
from lifeline_lab.servers import Server

POOL_SIZE = 20
QUERY_SECONDS = 0.05
ARMS = tuple((arm, transport) for arm in (LIFELINE, STOCK) for transport in (MYSQLCLIENT, PYMYSQL))


def measure(chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Measure every server: bursts of all arms in turns."""
    for flavour in chosen.servers:
        with running(flavour) as server:
            yield {
                "server": flavour,
                "ideal": -(-chosen.requests // POOL_SIZE) * QUERY_SECONDS,
                "bursts": _bursts(server, chosen),
            }


def _bursts(server: Server, chosen: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    bursts: dict[str, list[dict[str, Any]]] = {}
    order = random.Random(chosen.seed)
    with contextlib.ExitStack() as stack:
        ports = {}
        for arm, transport in ARMS:
            label = f"{arm.name}, {transport.name}"
            bursts[label] = []
            ports[label] = stack.enter_context(_site(arm, transport, server))
            _crowd(ports[label], min(chosen.requests, POOL_SIZE))
        labels = list(ports)
        for _ in range(chosen.rounds):
            order.shuffle(labels)
            for label in labels:
                bursts[label].append(_crowd(ports[label], chosen.requests))
    return bursts


def _crowd(port: int, count: int) -> dict[str, Any]:
    words = [sys.executable, "-m", "benchmarks.crowd", str(port), str(count)]
    run = subprocess.run(words, check=True, capture_output=True, text=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@contextlib.contextmanager
def _site(arm: Arm, transport: Transport, server: Server) -> Iterator[int]:
    """Run gunicorn with one gevent worker; give its port once it answers."""
    pool = {"pool": {"max_size": POOL_SIZE}} if arm is LIFELINE else {}
    spec = {
        "driver": transport.driver,
        "database": database(arm, transport, server, **pool),
    }
    port = free_port()
    words = ["gunicorn", "benchmarks.site:application", "--worker-class", "gevent"]
    words += ["--workers", "1", "--worker-connections", "1000", "--log-level", "warning"]
    process = subprocess.Popen(
        [sys.executable, "-m", *words, "--bind", f"127.0.0.1:{port}"],
        cwd=ROOT,
        env={**os.environ, SITE_SPECIFICATION: json.dumps(spec)},
    )
    try:
        _wait_until_up(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_until_up(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError):
            fetch(f"http://127.0.0.1:{port}/up/")
            return
        time.sleep(0.05)
    raise RuntimeError("gunicorn did not start; its error is above.")


def main() -> None:
    chosen = options(__doc__, rounds=5, requests=200)
    keep("gevent_pool", chosen, measure(chosen))


if __name__ == "__main__":
    main()
