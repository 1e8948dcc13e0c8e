"""OpenTelemetry: metrics of the pools and of operations, and a span for each operation.

Names and attributes are those of the semantic conventions for databases. No statement's text and
no parameter leaves the process, only a summary such as ``SELECT polls_choice``. Where `instrument`
was not called nothing is measured. Importing this and `instrument` need neither a driver nor
Django's settings, so that both may stand in a server's configuration file.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connections
from django.db.backends.signals import connection_created

from django_lifeline.backends.notices import FailoverFinished, Loss, observe
from django_lifeline.core.effects import first_keyword
from django_lifeline.core.events import ConnectFailed, ConnectionOpened, Event, LeaseWaited
from django_lifeline.core.pool import Pool
from django_lifeline.core.pool.stats import PoolStats
from django_lifeline.integrations.base import missing
from django_lifeline.integrations.outcomes import outcome_of
from django_lifeline.integrations.work import FewNames, current_work

try:
    from opentelemetry import metrics, trace
    from opentelemetry.metrics import CallbackOptions, Observation
except ImportError as error:
    raise missing("opentelemetry") from error

if TYPE_CHECKING:
    from django_lifeline.backends.assembly import Target

SCOPE = "django_lifeline"
WORK = "django_lifeline.work"
DURATION_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
"""In seconds; what the conventions advise for ``db.client.operation.duration``."""

Attributes = dict[str, Any]


def instrument(*, meter_provider: Any = None, tracer_provider: Any = None, works: int = 50) -> None:
    """Begin to measure, with the global providers where none is given; twice is once.

    *works* is how many names of work each process tells apart in its metrics before it says
    ``other``; with 0 it tells none. Call it where the process starts, such as in an
    ``AppConfig.ready``: a thread that is connected already is measured from its next connection
    on. With workers that fork, set the providers up and call it in each of them.
    """
    global _telemetry
    if _telemetry is None:
        _telemetry = _made_of(meter_provider, tracer_provider)
        _telemetry.works = FewNames(works)
        Pool.tells_waits = _telemetry.measures = True
        observe(_on_event)
        connection_created.connect(_on_connection, dispatch_uid=SCOPE, weak=False)
        # Before the settings are read there is none, and it is not for us to read them.
        for wrapper in connections.all(initialized_only=True) if settings.configured else ():
            _on_connection(wrapper)


def uninstrument() -> None:
    """Stop measuring. What was measured stays with its provider."""
    global _telemetry
    if _telemetry is not None:
        connection_created.disconnect(dispatch_uid=SCOPE)
        # The pools go on telling of waits, since somebody else may count them too.
        _telemetry.measures = False
        _telemetry = None


class Telemetry:
    """The instruments made of one pair of providers."""

    def __init__(self, meter_provider: Any, tracer_provider: Any) -> None:
        self.measures = False
        self.works = FewNames(0)
        self.tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        self._meter = meter = metrics.get_meter(SCOPE, meter_provider=meter_provider)
        self.duration = self._seconds(
            "db.client.operation.duration", "How long database operations took."
        )
        self._create_time = self._seconds(
            "db.client.connection.create_time", "How long it took to open connections."
        )
        self._wait_time = self._seconds(
            "db.client.connection.wait_time",
            "How long it took to obtain a connection where none was idle.",
        )
        self._losses = meter.create_counter(
            "django_lifeline.connection.losses",
            unit="{loss}",
            description="Losses, by cause and by what the caller saw of them.",
        )
        self._failures = meter.create_counter(
            "django_lifeline.connection.create_errors",
            unit="{error}",
            description="Connections that could not be opened.",
        )
        self._failover = self._seconds(
            "django_lifeline.failover.duration",
            "How long writes were refused until a server was found that takes them.",
        )
        for gauge in _GAUGES:
            create = getattr(meter, f"create_observable_{gauge.kind}")
            create(
                gauge.name,
                callbacks=[self._observer(gauge)],
                unit=gauge.unit,
                description=gauge.description,
            )

    def _seconds(self, name: str, description: str) -> Any:
        return self._meter.create_histogram(
            name,
            unit="s",
            description=description,
            explicit_bucket_boundaries_advisory=DURATION_BUCKETS,
        )

    def _observer(self, gauge: _Gauge) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def look(options: CallbackOptions) -> Iterable[Observation]:
            if self.measures:
                for stats in _all_stats():
                    for value, attributes in gauge.values(stats):
                        yield Observation(value, {**_of_pool(stats.name), **attributes})

        return look

    def count(self, event: Event) -> None:
        """Take note of what happened to a connection."""
        attributes = _of_pool(event.pool)
        if isinstance(event, ConnectionOpened):
            self._create_time.record(event.seconds, attributes)
        elif isinstance(event, LeaseWaited):
            self._wait_time.record(event.seconds, {**attributes, **self._work()})
        elif isinstance(event, FailoverFinished):
            self._failover.record(event.seconds, attributes)
        elif isinstance(event, ConnectFailed):
            self._failures.add(1, {**attributes, "error.type": event.error})
        elif isinstance(event, Loss):
            outcome = outcome_of(event)
            cause = {"django_lifeline.cause": event.diagnosis.cause}
            seen = {**cause, "django_lifeline.outcome": outcome}
            self._losses.add(1, {**attributes, **seen, **self._work()})
            trace.get_current_span().add_event(f"django_lifeline.connection_{outcome}", cause)

    def _work(self) -> Attributes:
        name = self.works.current()
        return {WORK: name} if name else {}

    def run(self, operation: Attributes, batch: int | None, execute: Callable[[], Any]) -> Any:
        """Execute inside a span, and record how long it took."""
        summary = operation.get("db.query.summary", operation["db.namespace"])
        # Not in the metric: each name would have a histogram of its own for each statement.
        attributes = {**operation, WORK: current_work()}
        if batch is not None:
            attributes["db.operation.batch.size"] = batch
        started = perf_counter()
        more: Attributes = {}
        with self.tracer.start_as_current_span(
            summary,
            kind=trace.SpanKind.CLIENT,
            attributes=attributes,
            # The server's messages may quote values.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                return execute()
            except Exception as error:
                more = _of_error(error)
                span.set_attributes({**more, **_of_diagnosis(error)})
                span.set_status(trace.StatusCode.ERROR)
                raise
            finally:
                self.duration.record(perf_counter() - started, {**operation, **more})


_telemetry: Telemetry | None = None


@cache
def _made_of(meter_provider: Any, tracer_provider: Any) -> Telemetry:
    # A provider makes each instrument only once, and keeps what it observes for ever.
    return Telemetry(meter_provider, tracer_provider)


def _on_event(event: Event) -> None:
    if _telemetry is not None:
        _telemetry.count(event)


def _on_connection(connection: Any, **kwargs: Any) -> None:
    if "django_lifeline.backends.borrowing" not in sys.modules:
        return  # None is ours, as on SQLite, and perhaps no driver is installed.
    from django_lifeline.backends.borrowing import Borrowing

    if isinstance(connection, Borrowing) and _measure not in connection.execute_wrappers:
        connection.execute_wrappers.append(_measure)


def _measure(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Mapping[str, Any]
) -> Any:
    """Django calls this round every statement of a wrapper that it was added to."""
    wrapper = context["connection"]
    telemetry = _telemetry
    if telemetry is None:
        wrapper.execute_wrappers.remove(_measure)
        return execute(sql, params, many, context)
    operation = {**_of_target(wrapper.target), **_of_statement(sql[:_HEAD])}
    batch = len(params) if many and hasattr(params, "__len__") else None
    return telemetry.run(operation, batch, lambda: execute(sql, params, many, context))


# The pools at the moment of an export.


@dataclass(frozen=True, slots=True)
class _Gauge:
    """One figure of every pool."""

    name: str
    unit: str
    description: str
    values: Callable[[PoolStats], list[tuple[int, Attributes]]]
    kind: str = "up_down_counter"


def _states(stats: PoolStats) -> list[tuple[int, Attributes]]:
    state = "db.client.connection.state"
    return [(stats.idle, {state: "idle"}), (stats.used, {state: "used"})]


def _most(stats: PoolStats) -> list[tuple[int, Attributes]]:
    """Return the limit, nothing where there is none."""
    return [(stats.max_size, {})] if stats.max_size else []


def _most_idle(stats: PoolStats) -> list[tuple[int, Attributes]]:
    return [(most - stats.max_overflow, none) for most, none in _most(stats)]


_GAUGES = (
    _Gauge(
        "db.client.connection.count", "{connection}", "Open connections, by their state.", _states
    ),
    _Gauge(
        "db.client.connection.idle.max",
        "{connection}",
        "The most connections that may be idle.",
        _most_idle,
    ),
    _Gauge(
        "db.client.connection.idle.min",
        "{connection}",
        "The connections that are kept open.",
        lambda stats: [(stats.min_size, {})],
    ),
    _Gauge(
        "db.client.connection.max",
        "{connection}",
        "The most connections that may be open.",
        _most,
    ),
    _Gauge(
        "db.client.connection.pending_requests",
        "{request}",
        "Borrowers that wait for a connection.",
        lambda stats: [(stats.waiting, {})],
    ),
    _Gauge(
        "db.client.connection.timeouts",
        "{timeout}",
        "Borrowers that waited for a connection in vain.",
        lambda stats: [(stats.timeouts, {})],
        kind="counter",
    ),
)


def _all_stats() -> list[PoolStats]:
    from django_lifeline.backends.assembly import targets

    return [target.pool.stats() for target in targets]


# Attributes


def _of_pool(name: str) -> Attributes:
    return {"db.client.connection.pool.name": name}


def _of_target(target: Target) -> Attributes:
    facts, params = target.facts, target.params
    mariadb = facts is not None and "mariadb" in facts.version.lower()
    attributes: Attributes = {
        "db.system.name": "mariadb" if mariadb else "mysql",
        "db.namespace": params.get("database", ""),
        "server.address": params.get("unix_socket") or params.get("host") or "localhost",
    }
    if "port" in params:
        attributes["server.port"] = params["port"]
    return attributes


_TABLE = re.compile(
    r"[^'\"]*?\b(?:FROM|INTO|UPDATE|TABLE)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:`([^`]+)`|([\w$.]+))",
    re.IGNORECASE,
)
"""The first table, unless something quoted comes before it: that could be a value."""

_HEAD = 2048
"""How many characters of a statement are looked at, and remembered with what was found."""


@lru_cache(maxsize=512)
def _of_statement(sql: str | bytes) -> Attributes:
    operation = first_keyword(sql).upper()
    if not operation:
        return {}
    text = sql.decode("utf-8", "replace") if isinstance(sql, bytes) else sql
    found = _TABLE.match(text)
    if found is None:
        return {"db.operation.name": operation, "db.query.summary": operation}
    table = found[1] or found[2]
    return {
        "db.operation.name": operation,
        "db.collection.name": table,
        "db.query.summary": f"{operation} {table}",
    }


def _of_error(error: Exception) -> Attributes:
    number = error.args[0] if error.args else None
    kind = type(error)
    attributes = {"error.type": f"{kind.__module__}.{kind.__qualname__}"}
    if isinstance(number, int):
        attributes["db.response.status_code"] = str(number)
    return attributes


def _of_diagnosis(error: Exception) -> Attributes:
    diagnosis = getattr(error, "diagnosis", None)
    return {} if diagnosis is None else {"django_lifeline.cause": diagnosis.cause}
