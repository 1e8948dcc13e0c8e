"""A real uWSGI, which forks in C: its parent keeps its session, its workers end theirs properly."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integrations.conftest import Run, needs


def visited(run: Run, driver: str, installed: str) -> Any:
    needs("pyuwsgi", "pyuwsgi")
    said = run("uwsgi_hooks", driver=driver, INSTALL=installed)
    aborted = said.pop("aborted")
    assert said == {"right": True, "parent_lives": True, "workers_are_not_the_parent": True}
    return aborted


@pytest.mark.parametrize("driver", ["mysqlclient", "pymysql"])
def test_hooks_leave_the_parents_session_alone_and_end_the_workers_properly(
    run: Run, driver: str
) -> None:
    assert visited(run, driver, "yes") == 0


def test_without_the_hooks_requests_survive(run: Run) -> None:
    # A worker that ends in good order runs Python's clean-up, which closes what lies idle.
    assert visited(run, "pymysql", "no") == 0
