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

pytestmark = [pytest.mark.drawn, pytest.mark.server]

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


def test_connection_that_moves_on_is_never_used_for_the_wrong_database(said: Any) -> None:
    assert said["moving"]["wrong"] == []
    assert said["in_threads"]["errors"] == []


def test_no_more_connections_than_the_limit_of_all_pools_are_open(said: Any) -> None:
    assert said["moving"]["most"] <= 4
    assert said["in_threads"]["most"] <= 4


def test_connections_move_on_where_only_the_name_differs(said: Any) -> None:
    assert said["moving"]["sessions"] <= 4


def test_session_that_has_moved_on_is_like_a_new_one(said: Any) -> None:
    assert said["moving"]["known"] and said["moving"]["variables"] == {}
    assert said["moving"]["collations"] is True
    assert said["moving"]["connection_collations"] == 1


@pytest.mark.parametrize("differs", "user charset isolation sql_mode init_asks".split())
def test_connection_that_differs_in_more_than_the_name_is_not_taken_over(
    said: Any, differs: str
) -> None:
    assert said["unlike"][differs] == ["new", True]


def test_right_that_is_missing_is_told_as_on_a_new_connection(said: Any) -> None:
    assert said["unlike"]["denied"] == "OperationalError 1044"
    assert said["unlike"]["unknown"] == "OperationalError 1049"
    assert said["unlike"]["goes_on"] is True


def test_spent_budget_is_told_and_resting_connections_give_way(said: Any) -> None:
    assert said["spent"]["refused"] == [51901, True]
    assert said["spent"]["rested"] is True
    assert said["spent"]["again"] == [True] * 4


def test_answers_of_a_session_that_moved_on_are_kept_for_their_author(said: Any) -> None:
    assert said["answers_of_a_session"] == {"moved": [True, True], "last_id": 42}
