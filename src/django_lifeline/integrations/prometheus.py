"""Prometheus: the pools and what happens to their connections, with one process or many.

With one process the figures are taken when Prometheus asks. With many, in prometheus_client's
multiprocess mode (``PROMETHEUS_MULTIPROC_DIR``), whichever process is asked reads what all of
them wrote down; so each writes its figures down every few seconds, from a thread that starts
with the process's first connection.

Importing this and `install` need neither a driver nor Django's settings, so that both may stand
in a server's configuration file.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from django_lifeline.backends.notices import FailoverFinished, Loss, observe
from django_lifeline.core.events import ConnectionOpened, Event, LeaseWaited
from django_lifeline.core.pool import Pool
from django_lifeline.core.pool.stats import PoolStats
from django_lifeline.integrations.base import missing
from django_lifeline.integrations.outcomes import outcome_of
from django_lifeline.integrations.work import FewNames

try:
    from prometheus_client import REGISTRY, Counter, Gauge, Histogram
except ImportError as error:
    raise missing("prometheus") from error

PREFIX = "django_lifeline"
FAILOVER_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
CONNECT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_COUNTED = {
    "leases": ("lends", "Connections lent."),
    "connections_opened": ("opened", "Connections opened."),
    "connections_closed": ("closed", "Connections ended politely."),
    "connections_discarded": ("discarded", "Connections ended without a word to the server."),
    "connect_errors": ("connect_errors", "Connections that could not be opened."),
    "recalls": ("recalls", "Resting connections taken from their owner for another borrower."),
    "timeouts": ("timeouts", "Borrowers that waited for a connection in vain."),
    "refusals": ("queue_full", "Borrowers sent away because the queue was full."),
}
"""What a pool counts: the metric, the figure of `PoolStats`, and the help text."""


def install(registry: Any = REGISTRY, interval: float = 5.0, works: int = 50) -> LifelineCollector:
    """Register the collector of this process and return it; safe to call twice.

    *interval* is how many seconds lie between two notes in multiprocess mode. *works* is how
    many names of work each process tells apart before it says ``other``; with 0 the label stays
    empty. Call it where the process starts, such as in an ``AppConfig.ready``, or in the
    server's configuration file.
    """
    global _installed
    if _installed is None:
        _installed = LifelineCollector(interval, works)
        registry.register(_installed)
    return _installed


_installed: LifelineCollector | None = None


class LifelineCollector:
    """All metrics of this process's pools; one for each process, made by `install`.

    ``_lock`` guards ``_seen``, what the counters have been told already.
    """

    def __init__(self, interval: float = 5.0, works: int = 50) -> None:
        self._interval = interval
        self._works = FewNames(works)
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], float] = {}
        self._pid = self._writer_pid = 0
        self._connections = _gauge("connections", "Open connections by state.", "state")
        self._waiting = _gauge("waiting", "Borrowers that wait for a connection.")
        self._min = _gauge("connections_min", "The connections that are kept open.")
        self._max = _gauge(
            "connections_max", "The most connections that may be open; 0 means no limit."
        )
        self._counters = {
            name: _counter(name, help_text) for name, (_, help_text) in _COUNTED.items()
        }
        self._waited = _counter("wait_seconds", "Seconds that borrowers waited.")
        self._work_waited = _counter(
            "work_wait_seconds",
            "Seconds that work waited which found no idle connection, connecting included.",
            "work",
        )
        self._losses = _counter(
            "losses",
            "Losses by cause; restored ones nobody noticed, refused ones cost no connection.",
            "cause",
            "outcome",
            "work",
        )
        self._connect_seconds = _histogram(
            "connect_seconds", "How long it took to open connections.", CONNECT_BUCKETS
        )
        self._failover_seconds = _histogram(
            "failover_seconds",
            "How long writes were refused until a server was found that takes them.",
            FAILOVER_BUCKETS,
        )
        Pool.tells_waits = True
        observe(self._on_event)

    def _metrics(self) -> Iterator[Any]:
        yield from (self._connections, self._waiting, self._min, self._max)
        yield from self._counters.values()
        yield from (self._waited, self._work_waited, self._losses)
        yield from (self._connect_seconds, self._failover_seconds)

    def describe(self) -> Iterable[Any]:
        """Return what there is, without a figure."""
        return [family for metric in self._metrics() for family in metric.describe()]

    def collect(self) -> Iterable[Any]:
        """Return this process's metrics at this moment."""
        self.note()
        return [family for metric in self._metrics() for family in metric.collect()]

    def note(self) -> None:
        """Write the pools' figures down for whichever process is asked next."""
        from django_lifeline.backends.assembly import targets

        if self._pid != os.getpid():
            # In a forked child the pools begin anew, and nobody is left to release the lock.
            targets.notice_fork()
            self._pid = os.getpid()
            self._lock = threading.Lock()
            self._seen = {}
        with self._lock:
            for target in targets:
                self._note(target.pool.stats())

    def _note(self, stats: PoolStats) -> None:
        pool = stats.name
        self._connections.labels(pool, "idle").set(stats.idle)
        self._connections.labels(pool, "used").set(stats.used)
        self._waiting.labels(pool).set(stats.waiting)
        self._min.labels(pool).set(stats.min_size)
        self._max.labels(pool).set(stats.max_size)
        for name, (figure, _) in _COUNTED.items():
            self._count(self._counters[name], name, pool, getattr(stats, figure))
        self._count(self._waited, "wait_seconds", pool, stats.wait_ms_total / 1000)

    def _count(self, counter: Any, name: str, pool: str, total: float) -> None:
        grown = total - self._seen.get((name, pool), 0)
        if grown > 0:
            self._seen[name, pool] = total
        counter.labels(pool).inc(max(grown, 0))

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ConnectionOpened):
            self._connect_seconds.labels(event.pool).observe(event.seconds)
            self._keep_notes()
        elif isinstance(event, Loss):
            cause, work = event.diagnosis.cause, self._works.current()
            self._losses.labels(event.pool, cause, outcome_of(event), work).inc()
        elif isinstance(event, FailoverFinished):
            self._failover_seconds.labels(event.pool).observe(event.seconds)
        elif isinstance(event, LeaseWaited):
            self._work_waited.labels(event.pool, self._works.current()).inc(event.seconds)

    # With many processes

    def _keep_notes(self) -> None:
        """In multiprocess mode, see to it that this process writes its figures down."""
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ and self._writer_pid != os.getpid():
            self._writer_pid = os.getpid()
            atexit.register(self.note)
            threading.Thread(target=self._write, name="lifeline-metrics", daemon=True).start()

    def _write(self) -> None:
        pause = threading.Event()
        while True:
            self.note()
            pause.wait(self._interval)


def _gauge(name: str, help_text: str, *labels: str) -> Any:
    # The sum over living processes is what the server sees of them.
    return Gauge(
        f"{PREFIX}_{name}",
        help_text,
        ["pool", *labels],
        registry=None,
        multiprocess_mode="livesum",
    )


def _histogram(name: str, help_text: str, buckets: tuple[float, ...]) -> Any:
    return Histogram(f"{PREFIX}_{name}", help_text, ["pool"], registry=None, buckets=buckets)


def _counter(name: str, help_text: str, *labels: str) -> Any:
    return Counter(f"{PREFIX}_{name}", help_text, ["pool", *labels], registry=None)
