"""The metrics of a single process, as Prometheus gets them when it asks."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any

from django.db import OperationalError, connection, transaction
from prometheus_client import REGISTRY
from tests.fixtures.program_setup import admin

from django_lifeline.integrations import prometheus
from django_lifeline.integrations.work import named_work

WAITERS = {"morning mail", "market-page"}


def value(metric: str, **labels: str) -> float | None:
    """One sample of the process's registry."""
    pool = connection.pool.name
    return REGISTRY.get_sample_value(f"django_lifeline_{metric}", {"pool": pool, **labels})


def by_work(metric: str, **labels: str) -> dict[str, float]:
    """A counter's samples by the name of the work."""
    return {
        sample.labels["work"]: sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == f"django_lifeline_{metric}" and labels.items() <= sample.labels.items()
    }


def ask() -> None:
    """Use the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def ask_in_vain() -> None:
    """Be sent away from a full queue."""
    with named_work("morning mail"), contextlib.suppress(OperationalError):
        ask()


def hold_while_others_ask() -> None:
    """Hold the only connection while one borrower waits for it and another is sent away."""
    patient = threading.Thread(target=ask, name="market-page-7")
    hasty = threading.Thread(target=ask_in_vain)
    with transaction.atomic():
        ask()
        patient.start()
        while not connection.pool.stats().waiting:
            pass
        hasty.start()
        hasty.join()
    patient.join()


def main() -> None:
    report: dict[str, Any] = {"before": len(list(REGISTRY.collect()))}
    connection.settings_dict["OPTIONS"] = {"pool": {"max_size": 1, "max_waiting": 1}}
    collector = prometheus.install()
    report["same"] = prometheus.install() is collector
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        session = cursor.fetchone()[0]
        report["used"] = [value("connections", state="used"), value("connections", state="idle")]
        admin(f"KILL {session}")
        while admin("SELECT 1 FROM information_schema.processlist WHERE id = %s", session):
            pass
        cursor.execute("SELECT 1")
    connection.close()
    report["idle"] = [value("connections", state="used"), value("connections", state="idle")]
    report["opened"] = [value("connections_opened_total"), value("connections_opened_total")]
    report["connects"] = value("connect_seconds_count")
    report["restored"] = by_work("losses_total", outcome="restored")
    hold_while_others_ask()
    report["refused"] = by_work("losses_total", outcome="refused")
    waited = by_work("work_wait_seconds_total")
    report["waited"] = {name: seconds > 0 for name, seconds in waited.items() if name in WAITERS}
    report["threads"] = threading.active_count()
    print(json.dumps(report))


if __name__ == "__main__":
    main()
