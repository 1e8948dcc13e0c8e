"""Nothing to lend: the pool's own limits."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from django.db import Error

from lifeline_lab.incidents.bench import Bench
from lifeline_lab.incidents.kinds import kind

FIRST = ("read", "write")


def _with_all_in_use(bench: Bench, size: int, call: Callable[[], object]) -> None:
    """Do something while other threads keep all connections in transactions."""
    ready, over = threading.Barrier(size + 1), threading.Event()

    def keep() -> None:
        with bench.atomic():
            bench.write()
            ready.wait(20)
            over.wait(20)
        bench.forget()

    threads = [threading.Thread(target=keep) for _ in range(size)]
    for thread in threads:
        thread.start()
    try:
        ready.wait(20)
        call()
    finally:
        over.set()
        for thread in threads:
            thread.join()


@kind("pool_exhausted", works=FIRST, pooled=True)
def all_connections_in_transactions(bench: Bench) -> None:
    """Other threads keep all of max_size for longer than the pool's timeout."""
    size, timeout = bench.chance.choice((1, 2, 3)), bench.between(0.2, 0.8)
    bench.note(max_size=size, timeout=timeout)
    bench.use(pool={"max_size": size, "timeout": timeout})
    work = bench.read if bench.setting.work == "read" else bench.write
    _with_all_in_use(bench, size, lambda: bench.attempt(work))


@kind("pool_exhausted", works=FIRST, pooled=True)
def queue_full(bench: Bench) -> None:
    """As many borrowers as max_waiting allows wait already."""
    size = bench.chance.choice((1, 2))
    bench.note(max_size=size, max_waiting=1)
    bench.use(pool={"max_size": size, "timeout": 2.0, "max_waiting": 1})
    work = bench.read if bench.setting.work == "read" else bench.write

    def two() -> None:
        first = threading.Thread(target=lambda: _wait_in_line(bench))
        first.start()
        bench.wait_until(lambda: bench.wrapper.pool.stats().waiting, "somebody to wait")
        bench.attempt(work)
        first.join()

    _with_all_in_use(bench, size, two)


def _wait_in_line(bench: Bench) -> None:
    with contextlib.suppress(Error):
        bench.read()
    bench.forget()
