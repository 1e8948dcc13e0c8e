"""How fast pools lend and take back: cycles per millisecond, the pools beside each other.

    python benchmarks/pool_cycles.py [--rounds 31] [--seconds 0.3] [--hold 0] [--always-probe]

Needs ``psycopg``, ``psycopg_pool`` and ``SQLAlchemy``; without them only this project's pool
runs. The connections are stubs without I/O. This project's pool alone probes its connection on
lending (a real ``poll(0)`` on a real socket), the others lend unchecked. It does not probe what
a waiter gets straight from the hand of the one before, unless told to ``--always-probe``; with
32 threads on 16 connections that is most of the lends, and the backend's own probe before each
statement comes on top in real life.

The pools take turns within each round, so that a noisy machine is noisy for all of them, and
the figures are medians over the rounds. Many rounds, since psycopg_pool's figure at 32/16 wanders
between 50 and 95 from one to the next. Compare the ratios, not the figures of two machines.
A cycle without a hold hardly leaves the interpreter lock; ``--hold`` sleeps that many
microseconds with the connection, as a statement would.
"""

from __future__ import annotations

import argparse
import select
import socket
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from django_lifeline.core.options import PoolOptions
from django_lifeline.core.pool import Pool
from django_lifeline.core.pool import pool as pool_module

Cycle = Callable[[], object]
SHAPES = ((1, 1), (32, 32), (32, 16))


class PolledConnection:
    """A stub whose liveness is asked of a real, silent socket."""

    __slots__ = ("_peer", "_poll", "_socket", "busy")

    def __init__(self) -> None:
        self.busy = False
        self._socket, self._peer = socket.socketpair()
        poller = select.poll()
        poller.register(self._socket.fileno(), select.POLLIN | select.POLLRDHUP)
        self._poll = poller.poll

    def alive(self) -> bool:
        return not self._poll(0)

    def close(self) -> None:
        self._socket.close()
        self._peer.close()

    discard = close


def lifeline(size: int) -> tuple[Callable[[], object], Callable[[object], None]]:
    pool = Pool("benchmark", PoolOptions(max_size=size, max_waiting=0), PolledConnection)
    return pool.lease, pool.give_back


def psycopg_pool(size: int) -> tuple[Callable[[], object], Callable[[object], None]]:
    import psycopg
    from psycopg.pq import TransactionStatus
    from psycopg_pool import ConnectionPool

    class Transport:
        transaction_status = TransactionStatus.IDLE

    class Stub(psycopg.Connection):
        def __init__(self) -> None:
            self.pgconn = Transport()
            self._closed = False

        @classmethod
        def connect(cls, *args: object, **options: object) -> Stub:
            return cls()

        def close(self) -> None:
            self._closed = True

        @property
        def closed(self) -> bool:
            return self._closed

        def __del__(self) -> None:
            pass

        def __repr__(self) -> str:
            return "<Stub>"

    pool = ConnectionPool(
        "", connection_class=Stub, min_size=size, max_size=size, open=True, timeout=60
    )
    pool.wait()
    return pool.getconn, pool.putconn


def queue_pool(size: int) -> tuple[Callable[[], object], Callable[[object], None]]:
    from sqlalchemy.pool import QueuePool

    class Stub:
        def rollback(self) -> None:
            pass

        def close(self) -> None:
            pass

    pool = QueuePool(Stub, pool_size=size, max_overflow=0, timeout=60)
    return pool.connect, lambda connection: connection.close()


POOLS = {"lifeline": lifeline, "psycopg_pool": psycopg_pool, "QueuePool": queue_pool}


@dataclass
class Run:
    """One pool in one shape, once."""

    per_ms: float
    p99_us: float
    worst_ms: float


def measure(make: Callable[[int], tuple], threads: int, size: int, seconds: float, hold: float):
    lend, take_back = make(size)
    for held in [lend() for _ in range(size)]:
        take_back(held)
    start, over = threading.Barrier(threads + 1), threading.Event()
    counts: list[int] = []
    waits: list[float] = []

    def work() -> None:
        clock, sleep, own, count = time.perf_counter, time.sleep, [], 0
        start.wait()
        while not over.is_set():
            for _ in range(20):
                connection = lend()
                if hold:
                    sleep(hold)
                take_back(connection)
            before = clock()
            connection = lend()
            own.append(clock() - before)
            take_back(connection)
            count += 21
        counts.append(count)
        waits.extend(own)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    began = time.perf_counter()
    time.sleep(seconds)
    over.set()
    for worker in workers:
        worker.join()
    lasted = time.perf_counter() - began
    waits.sort()
    return Run(sum(counts) / lasted / 1000, waits[int(len(waits) * 0.99)] * 1e6, waits[-1] * 1e3)


def available() -> dict[str, Callable[[int], tuple]]:
    found = {}
    for name, make in POOLS.items():
        try:
            make(1)
        except ImportError as error:
            print(f"{name} left out: {error}")
        else:
            found[name] = make
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--seconds", type=float, default=0.3, help="per pool, shape and round")
    parser.add_argument("--hold", type=float, default=0.0, help="microseconds with a connection")
    parser.add_argument("--always-probe", action="store_true", help="hand-overs too")
    options = parser.parse_args()
    if options.always_probe:
        pool_module.WARM = 0.0
    pools = available()
    runs: dict[tuple[str, int, int], list[Run]] = {}
    for _ in range(options.rounds):
        for threads, size in SHAPES:
            for name, make in pools.items():
                run = measure(make, threads, size, options.seconds, options.hold / 1e6)
                runs.setdefault((name, threads, size), []).append(run)
    print(
        f"{'threads/size':>12} {'pool':>13} {'cycles/ms':>10} {'ratio':>6} {'p99 us':>9} worst ms"
    )
    for threads, size in SHAPES:
        own = statistics.median(run.per_ms for run in runs["lifeline", threads, size])
        for name in pools:
            these = runs[name, threads, size]
            speed = statistics.median(run.per_ms for run in these)
            print(
                f"{f'{threads}/{size}':>12} {name:>13} {speed:>10.1f} {own / speed:>6.2f} "
                f"{statistics.median(run.p99_us for run in these):>9.1f} "
                f"{statistics.median(run.worst_ms for run in these):>8.1f}"
            )


if __name__ == "__main__":
    main()
