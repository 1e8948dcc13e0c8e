"""Many databases in one process: nothing rests for ever, and a limit holds over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.programs import Runner
from tests.fixtures.servers import started

from lifeline_lab.servers import Server

PROGRAM = Path(__file__).parent / "programs" / "tenants.py"

Said = Callable[[str, str], Any]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Said]:
    """What the program said of a server and a driver; it runs once for all tests."""
    outcomes: dict[tuple[str, str], Any] = {}
    servers: dict[str, Server] = {}
    with ExitStack() as cleanup:
        run = Runner(tmp_path_factory.mktemp("programs"), cleanup)

        def get(flavour: str, driver: str) -> Any:
            key = (flavour, driver)
            if key not in outcomes:
                if flavour not in servers:
                    servers[flavour] = cleanup.enter_context(started(flavour, max_connections=400))
                outcomes[key] = run(PROGRAM, servers[flavour], driver, timeout=120).json
            return outcomes[key]

        yield get


@pytest.fixture
def said(told: Said, flavour: str, driver: str) -> Any:
    return told(flavour, driver)


def test_pools_that_nobody_asks_are_emptied_in_passing_without_a_thread(said: Any) -> None:
    assert said["in_passing"]["opened"] > 0
    assert said["in_passing"]["threads"] == 1


def test_pools_without_connections_and_users_are_forgotten_and_begun_anew(said: Any) -> None:
    assert said["in_passing"]["known"] == said["in_passing"]["left"] == 0
    assert (said["in_passing"]["again"], said["in_passing"]["pools"]) == (7, 1)


def test_silent_process_is_emptied_by_one_thread_for_all_pools(said: Any) -> None:
    assert said["by_thread"]["threads"] == 1
