"""ddtrace wraps the driver's ``connect``, its connections, and methods of Django's wrapper."""

from __future__ import annotations

from typing import Any

import pytest
from tests.monitoring.conftest import FROM_THE_START, Place, Seen
from tests.monitoring.laws import SeesWhatItSeesWithStock, SwitchesOff, SwitchesOnLate, texts


class Datadog(SeesWhatItSeesWithStock):
    module, package = "ddtrace", "ddtrace"

    def failed(self, record: Any) -> bool:
        return bool(record["error"])


class TestDriver(Datadog, SwitchesOff):
    tool = "datadog"

    def test_commits_and_rollbacks_have_spans(self, seen: Seen) -> None:
        records = seen.ours["work"]["records"]
        assert any(text.endswith(".commit") for text in texts(records["commits"]))
        assert any(text.endswith(".rollback") for text in texts(records["rolls_back"]))


class TestDriverLate(SwitchesOnLate):
    tool, module, package = "datadog", "ddtrace", "ddtrace"


class Django(Datadog):
    attempts = 1

    @pytest.fixture(params=FROM_THE_START, ids=str)
    def place(self, request: pytest.FixtureRequest) -> Place:
        """It looks at Django's connections once only, in ``django.setup()``."""
        return request.param

    def test_alias_is_told(self, seen: Seen) -> None:
        records = seen.ours["work"]["records"]["reads"]
        assert {record["django.db.alias"] for record in records} == {"default"}


class TestDjangoAndDriver(Django):
    """Two spans for each statement, Django's and the driver's."""

    tool = "datadog_django"

    def once(self, records: list[Any]) -> list[Any]:
        return [record for record in records if record["component"] == "django-database"]


class TestDjangoAlone(Django):
    """Spans of Django's cursor, where the driver is not wrapped."""

    tool = "datadog_django_alone"
