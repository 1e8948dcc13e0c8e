"""Passwords, users and certificates that change under a process: one pool, no refused login."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.drivers import make_certificate
from tests.fixtures.programs import Runner
from tests.fixtures.servers import missing, started

from lifeline_lab.servers import Server

pytestmark = [pytest.mark.drawn, pytest.mark.server]

PROGRAM = Path(__file__).parent / "programs" / "credentials.py"
WAYS = "callable path file lazystr params connection".split()

Said = Callable[[str, str], Any]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Said]:
    """What the program said of a server and a driver; it runs once for all tests."""
    outcomes: dict[tuple[str, str], Any] = {}
    servers: dict[str, Server] = {}
    folder = tmp_path_factory.mktemp("tls")
    files = []
    for name in ("right", "wrong"):
        (folder / name).mkdir()
        files.append(make_certificate(folder / name, "127.0.0.1"))
    with ExitStack() as cleanup:
        run = Runner(tmp_path_factory.mktemp("programs"), cleanup)

        def get(flavour: str, driver: str) -> Any:
            key = (flavour, driver)
            if key not in outcomes:
                if flavour not in servers:
                    servers[flavour] = cleanup.enter_context(started(flavour, **files[0]))
                server = servers[flavour]
                place = tmp_path_factory.mktemp("credentials")
                env = {
                    "CREDENTIALS_FOLDER": str(place),
                    "RIGHT_CA": str(files[0]["ssl_cert"]),
                    "WRONG_CA": str(files[1]["ssl_cert"]),
                }
                outcomes[key] = run(PROGRAM, server, driver, env=env, timeout=120).json
            return outcomes[key]

        yield get


@pytest.fixture
def said(told: Said, flavour: str, driver: str) -> Any:
    return told(flavour, driver)


@pytest.mark.parametrize("way", WAYS)
def test_sixty_rotations_need_one_pool_and_meet_no_refused_login(said: Any, way: str) -> None:
    rotations = said["in_each_way"][way]
    assert rotations["outcomes"] == ["ok rotating"]
    assert rotations["errors"] == 0
    assert rotations["pools"] == 1


@pytest.mark.parametrize("way", WAYS)
def test_new_password_ends_no_session_and_leaves_none_behind(said: Any, way: str) -> None:
    rotations = said["in_each_way"][way]
    assert rotations["old_session_goes_on"] is True
    assert rotations["open"] == 1


def test_user_that_changes_is_no_other_pool(said: Any) -> None:
    leases = said["user_too"]
    assert leases["users"] == ["ok lease_0", "ok lease_1"] * 2
    assert leases["pools"] == 1
    assert leases["name"].startswith("nobody@")


def test_answer_with_an_end_is_kept_and_asked_for_again_when_it_is_refused(said: Any) -> None:
    assert said["refused"]["cached"] == [["ok refused"] * 3, 1]
    assert said["refused"]["after"] == ["ok refused", 2, 0]


def test_wrong_password_is_asked_for_twice_and_told_as_the_servers_own_error(said: Any) -> None:
    assert said["refused"]["wrong"] == ["OperationalError 1045", 2]


def test_threads_that_connect_at_the_same_moment_ask_once(said: Any) -> None:
    assert said["at_once"] == {"outcomes": ["ok 0"], "fewer": True}


def test_session_is_reset_with_the_password_of_now(said: Any) -> None:
    assert said["dirty_session"] == {"same": True, "mode": False}


def test_doctor_logs_in_with_the_password_of_now(said: Any) -> None:
    assert said["shell"]["doctor"] == "shell"


def test_command_line_client_logs_in_with_the_password_of_now(said: Any) -> None:
    if shutil.which("mysql") is None:
        missing("The command line client is not installed: apt-get install mariadb-client")
    assert (said["shell"]["said"], said["shell"]["hidden"]) == ("shell", True)


def test_no_secret_is_in_anything_that_is_printed_logged_or_shown(said: Any) -> None:
    assert said["secrets"] == []


def test_replaced_certificates_are_used_by_the_next_connection(said: Any) -> None:
    tls = said["replaced_files"]
    assert tls["wrong"].startswith("OperationalError 20") and tls["wrong_again"] == tls["wrong"]
    assert tls["right"] == tls["open_goes_on"] == "ok lifeline"
    assert tls["cipher"] is True and tls["pools"] == 1
