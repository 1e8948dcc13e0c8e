"""OpenTelemetry: what a real SDK gets, by the names of the semantic conventions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.integrations.conftest import Run, needs

PAGE = Path(__file__).parents[2] / "docs" / "telemetry.md"
SECRET = "the-value-of-a-parameter"


@pytest.fixture(scope="module")
def said(run: Run) -> Any:
    needs("opentelemetry.sdk", "opentelemetry-sdk")
    return run("telemetry")


def only_value(said: Any, metric: str) -> Any:
    """The value of a metric that has one point."""
    [[_, value]] = said["metrics"][metric]
    return value


def by(said: Any, metric: str, *attributes: str) -> dict[Any, Any]:
    """A metric's values by these attributes."""
    return {
        tuple(point.get(name) for name in attributes): value
        for point, value in said["metrics"][metric]
    }


def test_every_operation_has_a_span_named_by_its_summary(said: Any) -> None:
    insert, many, select, failed = said["spans"]
    assert [span["name"] for span in said["spans"]] == [
        "INSERT thing",
        "INSERT thing",
        "SELECT thing",
        "INSERT thing",
    ]
    assert {span["kind"] for span in said["spans"]} == {"CLIENT"}
    assert insert["attributes"] == {
        "db.system.name": "mariadb",
        "db.namespace": said["database"]["NAME"],
        "server.address": said["database"]["HOST"],
        "server.port": said["database"]["PORT"],
        "db.operation.name": "INSERT",
        "db.collection.name": "thing",
        "db.query.summary": "INSERT thing",
        "django_lifeline.work": "MainThread",
    }
    assert many["attributes"]["db.operation.batch.size"] == 2
    assert [insert["status"], select["status"], failed["status"]] == ["UNSET", "UNSET", "ERROR"]
    assert failed["attributes"]["error.type"] == "django.db.utils.IntegrityError"
    assert failed["attributes"]["db.response.status_code"] == "1062"


def test_no_value_of_a_statement_leaves_the_process(said: Any) -> None:
    for span in said["spans"] + said["lost"]:
        assert SECRET not in span["text"]
    assert SECRET not in str(said["metrics"])


def test_healed_loss_is_an_event_of_the_span_it_happened_in(said: Any) -> None:
    asked, repeated, request = said["healed"]
    assert request["name"] == "request"
    assert asked["events"] == []
    assert repeated["events"] == ["django_lifeline.connection_restored"]
    assert repeated["status"] == "UNSET"


def test_loss_that_surfaces_names_its_cause(said: Any) -> None:
    lost = said["lost"][-1]
    assert lost["events"] == ["django_lifeline.connection_raised"]
    assert lost["attributes"]["error.type"] == "django_lifeline.exceptions.ConnectionLost"
    losses = by(
        said,
        "django_lifeline.connection.losses",
        "django_lifeline.cause",
        "django_lifeline.outcome",
    )
    cause = lost["attributes"]["django_lifeline.cause"]
    assert losses[cause, "raised"] == 1
    assert sum(losses.values()) == 2


def test_work_that_lost_a_connection_is_named_on_its_spans_and_losses(said: Any) -> None:
    assert {span["attributes"]["django_lifeline.work"] for span in said["lost"]} == {"morning mail"}
    losses = by(
        said,
        "django_lifeline.connection.losses",
        "django_lifeline.outcome",
        "django_lifeline.work",
    )
    assert losses == {("restored", "MainThread"): 1, ("raised", "morning mail"): 1}


def test_work_that_waited_for_a_connection_is_named(said: Any) -> None:
    waits = by(said, "db.client.connection.wait_time", "django_lifeline.work")
    assert waits["market-page",] == 1


def test_pool_is_observed_by_the_conventions_names(said: Any) -> None:
    names = pytest.importorskip("opentelemetry.semconv._incubating.metrics.db_metrics")
    known = {value for name, value in vars(names).items() if name.startswith("DB_CLIENT_")}
    ours = {name for name in said["metrics"] if name.startswith("db.")}
    assert ours <= known
    assert len(ours) == 9
    states = by(said, "db.client.connection.count", "db.client.connection.state")
    assert states == {("idle",): 1, ("used",): 0}
    assert only_value(said, "db.client.connection.max") == 1
    assert only_value(said, "db.client.connection.timeouts") == 0
    assert only_value(said, "db.client.connection.create_time") >= 2
    [[pool, waiting]] = said["waiting"]
    assert waiting == 1
    assert pool["db.client.connection.pool.name"].endswith(said["database"]["NAME"])


def test_every_metric_is_documented(said: Any) -> None:
    page = PAGE.read_text()
    assert {name for name in said["metrics"] if f"| `{name}` |" not in page} == set()


def test_durations_are_counted_by_operation_table_and_error(said: Any) -> None:
    durations = by(
        said, "db.client.operation.duration", "db.query.summary", "db.response.status_code"
    )
    assert durations["INSERT thing", None] == 3
    assert durations["INSERT thing", "1062"] == 1


def test_threads_that_connect_later_are_measured_too(said: Any) -> None:
    assert said["other_thread"] == ["SELECT"]


def test_uninstrumented_process_measures_nothing(said: Any) -> None:
    assert (said["wrappers_before"], said["wrappers"]) == (0, 1)
    assert said["after"] == [0, 0]
    assert said["metrics_after"] == []
    spans, count = said["again"]
    assert (spans, len(count)) == (1, 2)
    assert said["log"] == []
