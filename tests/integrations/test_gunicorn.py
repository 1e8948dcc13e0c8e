"""A real gunicorn with ``--preload``: what its parent and its workers leave behind."""

from __future__ import annotations

import pytest
from tests.integrations.conftest import Run, needs


@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
def test_hooks_leave_no_session_of_the_parent_and_end_the_workers_properly(
    run: Run, worker: str
) -> None:
    needs("gunicorn", "gunicorn")
    said = run("gunicorn_hooks", driver="pymysql", WORKER=worker, INSTALL="yes")
    assert said == {"answers": "ab", "parent_holds": False, "aborted": 0}


def test_without_the_hooks_requests_survive_and_the_parent_keeps_its_session(run: Run) -> None:
    needs("gunicorn", "gunicorn")
    # Python's own end of a worker closes what lies idle; nothing does it for the parent meanwhile.
    said = run("gunicorn_hooks", driver="pymysql", WORKER="sync", INSTALL="no")
    assert said == {"answers": "ab", "parent_holds": True, "aborted": 0}
