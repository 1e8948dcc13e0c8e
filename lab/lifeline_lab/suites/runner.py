"""Django's runner in the process of the tests, which records, and counts what was left open."""

from __future__ import annotations

from typing import Any

from lifeline_lab.suite.recorder import RecordingRunner, write
from lifeline_lab.suites.leftovers import sessions_in_dropped_databases


class Runner(RecordingRunner):
    """Records each test's outcome, and looks at the server when all databases are gone."""

    def teardown_databases(self, old_config: Any, **kwargs: Any) -> None:
        """Destroy the test databases; then no session should be left in one."""
        super().teardown_databases(old_config, **kwargs)
        write(left_open=sessions_in_dropped_databases())
