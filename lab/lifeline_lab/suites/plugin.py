"""The plugin for pytest in the process of the tests: records as the runner for Django's does."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from lifeline_lab.suite.recorder import write
from lifeline_lab.suites.leftovers import sessions_in_dropped_databases

_given = json.loads(os.environ["DJANGO_SUITE"])
SHOWN = 3000
SEVERITY = ("passed", "expected failure", "skipped", "failed", "error")


class Recorder:
    """Writes each test's beginning, and after its clean-up the worst that became of it."""

    def __init__(self) -> None:
        self._worst = ("passed", "")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Leave out what an earlier process has run, and record what is left."""
        done = set(json.loads(Path(_given["done"]).read_text()))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in done])
        items[:] = [item for item in items if item.nodeid not in done]
        write(planned=[item.nodeid for item in items])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a file that cannot be imported as a test that fails."""
        if report.failed:
            write(test=report.nodeid, outcome="error", detail=str(report.longrepr)[-SHOWN:])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Record which test runs now: the last one of these is what a crash was in."""
        self._worst = ("passed", "")
        write(start=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst of set-up, test, its parts and its clean-up."""
        found = _outcome(report)
        if SEVERITY.index(found) > SEVERITY.index(self._worst[0]):
            self._worst = (found, str(report.longrepr or "")[-SHOWN:])

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Record what became of the test."""
        outcome, detail = self._worst
        write(test=nodeid, outcome=outcome, detail=detail)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self) -> Generator[None, Any, Any]:
        """Look at the server when all fixtures, the databases among them, are gone."""
        result = yield
        write(left_open=sessions_in_dropped_databases())
        write(ended=True)
        return result


def _outcome(report: pytest.TestReport) -> str:
    if report.failed:
        return "failed" if report.when == "call" else "error"
    if report.skipped:
        return "expected failure" if hasattr(report, "wasxfail") else "skipped"
    return "passed"
