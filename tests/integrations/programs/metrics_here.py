"""The metrics of a single process, as Prometheus gets them when it asks."""

from __future__ import annotations

import json
import threading
from typing import Any

from django.db import connection
from prometheus_client import REGISTRY
from tests.fixtures.program_setup import admin

from django_lifeline.integrations import prometheus


def value(metric: str, **labels: str) -> float | None:
    """One sample of the process's registry."""
    pool = connection.pool.name
    return REGISTRY.get_sample_value(f"django_lifeline_{metric}", {"pool": pool, **labels})


def main() -> None:
    report: dict[str, Any] = {"before": len(list(REGISTRY.collect()))}
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
    report["losses"] = [
        sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == "django_lifeline_losses_total" and sample.labels["outcome"] == "restored"
    ]
    report["threads"] = threading.active_count()
    print(json.dumps(report))


if __name__ == "__main__":
    main()
