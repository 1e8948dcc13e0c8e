"""Sentry replaces methods of Django's own classes."""

from __future__ import annotations

from typing import Any

from tests.monitoring.laws import SeesWhatItSeesWithStock, SwitchesOff, SwitchesOnLate, texts


class TestSentry(SeesWhatItSeesWithStock, SwitchesOff):
    tool, module, package = "sentry", "sentry_sdk", "sentry-sdk"
    attempts = 1

    def failed(self, record: Any) -> bool:
        return record["status"] == "internal_error"

    def test_commits_and_rollbacks_have_spans(self, seen: Any) -> None:
        records = seen.ours["work"]["records"]
        assert "COMMIT" in texts(records["commits"])
        assert "ROLLBACK" in texts(records["rolls_back"])


class TestSentryLate(SwitchesOnLate):
    tool, module, package = TestSentry.tool, TestSentry.module, TestSentry.package
