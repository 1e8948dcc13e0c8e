"""The doctor on real servers: bad setups are named, good ones are left in peace."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.programs import Runner
from tests.fixtures.servers import started

from lifeline_lab.servers import Server

pytestmark = pytest.mark.drawn

PROGRAM = Path(__file__).parent / "programs" / "doctor.py"

SECRET = "app-password-71"

Reports = Callable[[str, str], Any]


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """What the program said; a server of each flavour that it may change, once for each driver."""
    said: dict[tuple[str, str], Any] = {}

    def get(flavour: str, driver: str) -> Any:
        key = (flavour, driver)
        if key not in said:
            with ExitStack() as stack:
                server = stack.enter_context(started(flavour))
                run = Runner(tmp_path_factory.mktemp("doctor"), stack)
                said[key] = run(PROGRAM, server, driver)
        return said[key].json

    return get


@pytest.fixture
def said(examined: Reports, flavour: str, driver: str) -> Any:
    return examined(flavour, driver)


@pytest.mark.server
@pytest.mark.parametrize(
    ("setup", "findings", "worst", "words"),
    [
        ("kept for ever", "D101", "error", ["28800 s", "8 hours"]),
        ("raised to a year", "D101 D104", "warning", ["31536000", "32140800"]),
        ("ten seconds, kept", "D101 D102 D103", "error", ["after 10 s"]),
        ("ten seconds, five", "D102 D103", "warning", ["close_old_connections"]),
        ("gevent, sixty", "D201 D301", "error", ["2 × 50 (gunicorn) = 100", "the 60"]),
        ("too many threads", "D201", "error", ["30 × 8 (processes) = 240"]),
        ("too many machines", "D201", "error", ["20 × (4 × 4 (gunicorn)) = 320"]),
        ("few for the account", "D202", "error", ["the 5 that max_user_connections"]),
        ("celery", "D102", "warning", ["Celery"]),
        ("small packet", "D402", "warning", ["1 MiB"]),
        ("streaming", "D403", "warning", ["net_write_timeout is 60 s"]),
        ("pinning init", "D601 D602", "warning", ["autocommit"]),
        ("writing init", "D601", "warning", ["DDL"]),
        ("administrator", "D705", "warning", ["CREATE USER 'site'@'%'"]),
        ("wrong password", "D701", "critical", ["(1045)", "USER and PASSWORD"]),
        ("wrong option of the driver", "D701", "critical", ["conect_timeout"]),
        ("behind a proxy", "D702", "warning", ["the server sees"]),
        ("nobody there", "D701", "critical", ["nothing listens there", "HOST and PORT"]),
        ("options without effect", "W001 W002 W005 W006", "warning", ["99999"]),
        ("a level too high", "W007", "warning", ["move pool to OPTIONS['pool']"]),
        ("left by another pool", "W008", "warning", ["POOL_OPTIONS of django-db-connection-pool"]),
        ("wrong option of ours", "E001", "error", ["Did you mean 'max_size'?"]),
        ("pool over the server", "D201", "error", ["1 × 400 (one process)"]),
    ],
)
def test_bad_setup_is_named_and_nothing_else_is(
    said: Any, driver: str, setup: str, findings: str, worst: str, words: list[str]
) -> None:
    expected = findings.split()
    if setup == "gevent, sixty" and driver == "mysqlclient":
        expected.append("D302")
    found = said["bad"][setup]
    assert found["grave"] == sorted(expected)
    assert found["worst"] == worst
    assert found["status"] == (1 if worst in ("error", "critical") else 0)
    for word in words:
        assert word in found["text"]


def has_no_certificate(server: Server) -> bool:
    """Whether it cannot encrypt; where it can (MariaDB 11.8, MySQL), PyMySQL does so by itself."""
    return server.query("SHOW VARIABLES LIKE 'have_ssl'") == [("have_ssl", "DISABLED")]


@pytest.mark.server
def test_way_over_the_network_wants_limits_and_encryption(
    said: Any, server: Server, driver: str
) -> None:
    expected = {"D502"}
    if driver == "mysqlclient":
        expected |= {"D501", "D503"}
    elif has_no_certificate(server):
        expected |= {"D503"}
    assert set(said["bad"]["over the network"]["grave"]) == expected


@pytest.mark.server
def test_good_setups_are_left_in_peace(said: Any) -> None:
    assert len(said["good"]) >= 3
    for setup, found in said["good"].items():
        assert (setup, found["grave"], found["status"]) == (setup, [], 0)


@pytest.mark.server
def test_no_secret_is_shown(said: Any) -> None:
    every = {**said["good"], **said["bad"]}
    assert {setup: found["leaks"] for setup, found in every.items() if found["leaks"]} == {}


@pytest.mark.server
def test_server_that_was_full_is_told(said: Any) -> None:
    assert "D203" in said["filled"]["grave"]


@pytest.mark.server
def test_it_only_reads(said: Any) -> None:
    assert said["writes"] == []
    assert said["open"] == []


@pytest.mark.server
def test_status_shows_sessions_and_limits(said: Any) -> None:
    assert said["status"]["status"] == 0
    assert "wait_timeout 28800 s" in said["status"]["text"]
    assert "doctor_app" in said["status"]["text"]
    assert SECRET not in said["status"]["text"]
