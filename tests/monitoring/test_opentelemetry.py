"""OpenTelemetry's instrumentations wrap the driver's ``connect``, or add comments by Django."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.monitoring.conftest import FROM_THE_START, Place, Seen
from tests.monitoring.laws import (
    SeesWhatItSeesWithStock,
    SwitchesOff,
    SwitchesOnLate,
    needs,
)


class Instrumentation(SeesWhatItSeesWithStock, SwitchesOff):
    def failed(self, record: Any) -> bool:
        return record["status"] == "ERROR"

    def test_error_of_the_driver_is_named(self, seen: Seen) -> None:
        refused, wrong, fine = seen.ours["work"]["records"]["fails"]
        assert [error.rsplit(".", 1)[1] for error in refused["errors"]] == ["IntegrityError"]
        assert [error.rsplit(".", 1)[1] for error in wrong["errors"]] == ["OperationalError"]
        assert fine["errors"] == []


class TestDriverInstrumentation(Instrumentation):
    tool, module = "opentelemetry_driver", "opentelemetry.instrumentation.mysqlclient"
    package = "opentelemetry-instrumentation-mysqlclient"


class TestDriverInstrumentationLate(SwitchesOnLate):
    tool, module = TestDriverInstrumentation.tool, TestDriverInstrumentation.module
    package = TestDriverInstrumentation.package


class TestDbApiInstrumentation(Instrumentation):
    tool, module = "opentelemetry_dbapi", "opentelemetry.instrumentation.dbapi"
    package = "opentelemetry-instrumentation-dbapi"

    def test_parameters_are_recorded_where_they_are_asked_for(self, seen: Seen) -> None:
        [insert, *_] = seen.ours["work"]["records"]["commits"]
        assert "kept" in insert["db.statement.parameters"]


class TestDbApiInstrumentationLate(SwitchesOnLate):
    tool, module = TestDbApiInstrumentation.tool, TestDbApiInstrumentation.module
    package = TestDbApiInstrumentation.package


COMMENT = re.compile(r"/\*(?P<text>.*)\*/$", re.DOTALL)
PAIR = re.compile(r"(\w+)='([^']*)'")


def comment(text: str) -> dict[str, str]:
    """What the comment at the end of a statement says."""
    found = COMMENT.search(text)
    assert found is not None, text
    return dict(PAIR.findall(found["text"]))


@pytest.mark.parametrize("place", FROM_THE_START, ids=str)
class TestDjangoInstrumentation:
    """Requests, and a comment of each request's own in the statements that the server sees."""

    @pytest.fixture
    def seen(self, watch: Callable[..., Seen], place: Place) -> Seen:
        package = "opentelemetry-instrumentation-django"
        needs("opentelemetry.instrumentation.django", package)
        return watch("opentelemetry_django", place, "site")

    def test_server_sees_the_comments_it_sees_with_stock(self, seen: Seen) -> None:
        stock, ours = (
            [comment(request["text"]) for request in engine["requests"]]
            for engine in (seen.stock, seen.ours)
        )
        assert [sorted(pairs) for pairs in ours] == [sorted(pairs) for pairs in stock]
        assert {pairs["db_driver"] for pairs in ours} == {"django_lifeline.backends.mysql"}
        assert {pairs["route"] for pairs in ours} == {"text"}

    def test_each_statement_is_commented_with_the_trace_of_its_own_request(
        self, seen: Seen
    ) -> None:
        requests = seen.ours["requests"]
        assert len({request["trace"] for request in requests}) == len(requests)
        for request in requests:
            assert request["trace"] in comment(request["text"])["traceparent"]

    def test_spans_of_requests_and_statements_are_those_of_stock(self, seen: Seen) -> None:
        stock, ours = (
            [request["spans"] for request in engine["requests"]]
            for engine in (seen.stock, seen.ours)
        )
        assert ours == stock
        assert ours == [["SERVER GET text"]] * len(ours)

    def test_comments_do_not_cost_connections(self, seen: Seen) -> None:
        assert len({request["session"] for request in seen.ours["requests"]}) == 1


@pytest.mark.parametrize("place", FROM_THE_START, ids=str)
class TestCommentsByTheDriver:
    """The same, put there by the instrumentation of the driver."""

    @pytest.fixture
    def seen(self, watch: Callable[..., Seen], place: Place) -> Seen:
        package = TestDriverInstrumentation.package
        needs(TestDriverInstrumentation.module, package)
        return watch("opentelemetry_comments", place, "site")

    def test_server_sees_the_comments_it_sees_with_stock(self, seen: Seen) -> None:
        stock, ours = (
            [comment(request["text"]) for request in engine["requests"]]
            for engine in (seen.stock, seen.ours)
        )
        assert [sorted(pairs) for pairs in ours] == [sorted(pairs) for pairs in stock]
        for request, pairs in zip(seen.ours["requests"], ours, strict=True):
            assert request["trace"] in pairs["traceparent"]

    def test_spans_are_those_of_stock(self, seen: Seen) -> None:
        stock, ours = (
            [request["spans"] for request in engine["requests"]]
            for engine in (seen.stock, seen.ours)
        )
        assert ours == stock
        assert all("CLIENT SELECT" in spans for spans in ours)
