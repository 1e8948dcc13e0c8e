"""The test runner in the child process: writes what becomes of each test, as it happens.

One JSON line for each event, so that a crash or a hang loses nothing and shows where it was.
"""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path
from typing import Any

from django.test.runner import DiscoverRunner, iter_test_cases

_given = json.loads(os.environ["DJANGO_SUITE"])
_file = Path(_given["record"])


def write(**event: object) -> None:
    """Add one event to the record."""
    with _file.open("a") as record:
        record.write(json.dumps(event) + "\n")


class RecordingResult(unittest.TextTestResult):
    """A result that records each test's outcome."""

    _failed_in_part = False

    def startTest(self, test: Any) -> None:
        """Record which test runs now: the last one of these is what a crash was in."""
        super().startTest(test)
        self._failed_in_part = False
        write(start=test.id())

    def _ended(self, test: Any, outcome: str, detail: str = "") -> None:
        write(test=test.id(), outcome=outcome, detail=detail[-3000:])

    def addSuccess(self, test: Any) -> None:
        """Record a success."""
        super().addSuccess(test)
        self._ended(test, "passed")

    def addSkip(self, test: Any, reason: str) -> None:
        """Record a skip; one subtest that is skipped leaves the test's outcome alone."""
        super().addSkip(test, reason)
        if not hasattr(test, "test_case"):
            self._ended(test, "skipped", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        """Record a failure that Django expects on this server."""
        super().addExpectedFailure(test, err)
        self._ended(test, "expected failure")

    def addUnexpectedSuccess(self, test: Any) -> None:
        """Record a success where Django expects a failure, which fails the suite."""
        super().addUnexpectedSuccess(test)
        self._ended(test, "unexpected success")

    def addFailure(self, test: Any, err: Any) -> None:
        """Record a failure."""
        super().addFailure(test, err)
        self._ended(test, "failed", self.failures[-1][1])

    def addError(self, test: Any, err: Any) -> None:
        """Record an error, of a test or of its class's set-up."""
        super().addError(test, err)
        self._ended(test, "error", self.errors[-1][1])

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        """Record the first subtest that failed as what became of the test."""
        super().addSubTest(test, subtest, err)
        if err is not None and not self._failed_in_part:
            self._failed_in_part = True
            wrong = issubclass(err[0], test.failureException)
            detail = (self.failures if wrong else self.errors)[-1][1]
            self._ended(test, "failed" if wrong else "error", f"{subtest}\n{detail}")


class RecordingRunner(DiscoverRunner):
    """Django's runner, which can leave out what an earlier process has run already."""

    def get_resultclass(self) -> type[unittest.TextTestResult]:
        """Return the class that records."""
        return RecordingResult

    def load_tests_for_label(self, label: str, discover_kwargs: dict[str, Any]) -> Any:
        """Collect the tests of one label, without those done before, and record which."""
        done = set(json.loads(Path(_given["done"]).read_text()))
        found = iter_test_cases(super().load_tests_for_label(label, discover_kwargs))
        tests = [test for test in found if test.id() not in done]
        write(planned=[test.id() for test in tests])
        return self.test_suite(tests)

    def run_suite(self, suite: Any, **kwargs: Any) -> Any:
        """Run the tests, and record that all have been run."""
        result = super().run_suite(suite, **kwargs)
        write(ended=True)
        return result
