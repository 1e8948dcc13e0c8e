"""Prometheus: a real gunicorn with two workers, and the Grafana dashboard's queries."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.servers import missing
from tests.integrations.conftest import Run, needs

PAGE = Path(__file__).parents[2] / "docs" / "telemetry.md"
METRIC = re.compile(r"django_lifeline_\w+")
LABELS = re.compile(r"by \(([^)]*)\)|[{,] ?(\w+)=")
OF_PROMETHEUS = {"job"}


@pytest.fixture(scope="module")
def said(run: Run) -> Any:
    needs("gunicorn", "gunicorn")
    needs("prometheus_client", "prometheus-client")
    needs("opentelemetry.sdk", "opentelemetry-sdk")
    program = shutil.which("prometheus") or ""
    return run("metrics_gunicorn", PROMETHEUS=program)


def test_metrics_of_two_workers_are_those_of_the_whole_site(said: Any) -> None:
    assert said["max"] == 2 * 3
    assert said["open"] is True
    assert said["leases"] > 0
    assert said["waited"] > 0


def test_losses_are_counted_by_cause_and_outcome(said: Any) -> None:
    assert said["restored"] > 0
    assert said["raised"] >= 1
    assert said["labels"]["django_lifeline_losses_total"] == ["cause", "outcome", "pool", "work"]


def test_losses_name_the_job_or_the_threads_that_met_them(said: Any) -> None:
    assert said["by_job"] == said["raised"]
    assert said["by_thread"] == said["restored"]


def test_opentelemetry_may_be_set_up_beside_it_before_there_are_settings(said: Any) -> None:
    assert ["SELECT", "ThreadPoolExecutor"] in said["spans"]


def test_metrics_hold_no_password(said: Any) -> None:
    assert said["password_shown"] is False


def test_killed_workers_connections_no_longer_count_but_its_past_does(said: Any) -> None:
    assert said["max_of_the_living"] == 3
    assert said["counters_kept"] is True


def test_every_metric_is_documented_and_nothing_else(said: Any) -> None:
    documented = set(re.findall(r"^\| `(django_lifeline_\w+)`", PAGE.read_text(), re.MULTILINE))
    exported = {re.sub(r"_(bucket|sum|count)$", "", name) for name in said["labels"]}
    assert documented == exported


def test_every_metric_and_label_of_the_dashboard_exists(said: Any) -> None:
    assert len(said["queries"]) > 15
    for query in said["queries"]:
        names = METRIC.findall(query)
        assert names
        known = {label for name in names for label in said["labels"].get(name, ["missing"])}
        assert "missing" not in known, query
        for group, label in LABELS.findall(query):
            wanted = set(re.split(r",\s*", group)) if group else {label}
            assert wanted <= known | OF_PROMETHEUS, query


def test_real_prometheus_answers_every_query_of_the_dashboard(said: Any) -> None:
    if shutil.which("prometheus") is None:
        missing("Prometheus is not installed: sudo apt-get install prometheus")
    assert {query: answer for query, answer in said["evaluated"].items() if answer != "ok"} == {}


def test_single_process_is_asked_and_needs_no_thread(run: Run) -> None:
    needs("prometheus_client", "prometheus-client")
    said = run("metrics_here")
    assert said["same"] is True
    assert said["used"] == [1, 0]
    assert said["idle"] == [0, 1]
    assert said["opened"] == [2, 2]
    assert said["connects"] == 2
    assert said["restored"] == {"MainThread": 1}
    assert said["refused"] == {"morning mail": 1}
    assert said["waited"] == {"market-page": True}
    assert said["threads"] == 1
