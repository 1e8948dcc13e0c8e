"""Elastic APM's agent wraps the driver's ``connect``."""

from __future__ import annotations

from typing import Any

from tests.monitoring.conftest import Seen
from tests.monitoring.laws import SeesWhatItSeesWithStock, SwitchesOff, SwitchesOnLate


class TestElastic(SeesWhatItSeesWithStock, SwitchesOff):
    tool, module, package = "elastic", "elasticapm", "elastic-apm"

    def failed(self, record: Any) -> bool:
        return record["outcome"] == "failure"

    def test_changed_rows_are_counted(self, seen: Seen) -> None:
        many, bulk = seen.ours["work"]["records"]["runs_many"]
        assert (many["rows_affected"], bulk["rows_affected"]) == (3, 2)


class TestElasticLate(SwitchesOnLate):
    tool, module, package = TestElastic.tool, TestElastic.module, TestElastic.package
