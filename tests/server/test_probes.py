"""Probes answer from what is known, whatever the server does, and borrow nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.fixtures.servers import need_modules
from tests.server.conftest import Report

from lifeline_lab.servers import Server

pytestmark = [pytest.mark.drawn, pytest.mark.fault]

SAID = {
    "cold": (200, "unused"),
    "in use": (200, "ok"),
    "exhausted": (503, "exhausted"),
    "afterwards": (200, "ok"),
    "frozen": (503, "exhausted"),
    "full": (503, "away"),
    "down": (503, "away"),
    "back": (200, "ok"),
}


@pytest.fixture
def probes(report: Report) -> Any:
    return report("probes", timeout=100)


@pytest.mark.parametrize(("situation", "expected"), SAID.items())
def test_ready_follows_the_database(probes: Any, situation: str, expected: tuple[int, str]) -> None:
    said = probes[situation]
    assert (said["ready"], said["says"]) == expected


@pytest.mark.parametrize("situation", SAID)
def test_live_never_does_and_neither_borrows(probes: Any, situation: str) -> None:
    assert (probes[situation]["live"], probes[situation]["lent"]) == (200, 0)


@pytest.fixture
def gunicorn(reports: Callable[..., Any], shared_server: Callable[[str], Server]) -> Any:
    """What the command said beside a gunicorn of two workers."""
    need_modules("gunicorn", "packaging", "MySQLdb")
    return reports("probed_gunicorn", shared_server("mariadb"), "mysqlclient", timeout=150)


def test_command_reads_what_both_workers_wrote_and_asks_either_over_http(gunicorn: Any) -> None:
    written, ready, live = gunicorn["at work"]
    assert written == [0, ["ok", "ok"]]
    assert ready == [0, "default ok\nsite/health/ready/: ready\n"]
    assert live == [0, "site/health/live/: ready\n"]
    assert gunicorn["sessions of the probes"] == 0
    assert gunicorn["one is missing"] == 1


def test_command_tells_of_a_server_that_is_away_and_of_its_return(gunicorn: Any) -> None:
    ready, live = gunicorn["server away"]
    assert ready == [1, "default away\nsite/health/ready/: not ready\n"]
    assert live[0] == 0
    assert gunicorn["server back"] == [0, "default ok\nsite/health/ready/: ready\n"]


def test_command_says_where_nothing_is_known(gunicorn: Any) -> None:
    nothing = [0, "No other process has written within 30 s: nothing is known.\n"]
    assert gunicorn["before the site"] == nothing
    assert gunicorn["site ended"] == [nothing, 1]
