"""Connections, waits and sockets are bounded, and whoever ends without closing leaves no gap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.programs import LIFELINE, Runner

from lifeline_lab.servers import Server

pytestmark = pytest.mark.drawn

PROGRAM = Path(__file__).parent / "programs" / "bounds.py"
STOCK = "django.db.backends.mysql"
FOREVER = 600.0
"""A timeout that the program would not survive: whoever ends before has not waited for it."""

ENDINGS = ["ended_threads", "ended_in_atomic"]


def seen(
    run: Runner,
    server: Server,
    driver: str,
    scenario: str,
    *,
    engine: str = LIFELINE,
    gevent: bool = False,
    pool: dict[str, object] | None = None,
    **options: object,
) -> dict[str, Any]:
    """Run the program and return what it saw."""
    outcome = run(
        PROGRAM,
        server,
        driver,
        engine=engine,
        gevent=gevent,
        options={**({"pool": pool} if pool else {}), **options},
        env={"SCENARIO": scenario},
        CONN_MAX_AGE=None,
    )
    found: dict[str, Any] = outcome.json
    return found


def test_stock_engine_opens_a_connection_for_each_of_fifty_threads(
    server: Server, driver: str, run_program: Runner
) -> None:
    assert seen(run_program, server, driver, "many_threads", engine=STOCK)["most"] > 10


def test_fifty_threads_share_max_size_connections(
    server: Server, driver: str, run_program: Runner
) -> None:
    found = seen(run_program, server, driver, "many_threads", pool={"max_size": 5})
    assert (found["right"], found["errors"]) == (400, [])
    assert 1 < found["most"] <= 5


def test_waiting_longer_than_timeout_raises_pool_timeout_with_the_pools_state(
    server: Server, driver: str, run_program: Runner
) -> None:
    pool = {"max_size": 1, "timeout": 0.2}
    found = seen(run_program, server, driver, "nothing_free", pool=pool)
    assert (found["kind"], found["number"]) == ("PoolTimeout", 51901)
    assert "1 open of at most 1, 0 idle, 1 used" in found["text"]
    assert "1 waiting, last connect error: none" in found["text"]
    assert found["seconds"] < 10
    assert found["after"]


def test_one_waiter_too_many_is_refused_at_once(
    server: Server, driver: str, run_program: Runner
) -> None:
    pool = {"max_size": 1, "timeout": FOREVER, "max_waiting": 2}
    found = seen(run_program, server, driver, "queue_full", pool=pool)
    assert (found["kind"], found["number"]) == ("PoolQueueFull", 51902)
    assert found["still_waiting"] == 2
    assert found["after"]


def test_thread_that_holds_every_connection_and_wants_another_is_told_at_once(
    server: Server, driver: str, run_program: Runner
) -> None:
    pool = {"max_size": 3, "timeout": FOREVER}
    found = seen(run_program, server, driver, "own_deadlock", pool=pool)
    assert (found["kind"], found["number"]) == ("PoolDeadlock", 51903)
    assert found["after"]


@pytest.mark.parametrize("scenario", ENDINGS)
def test_stock_engine_keeps_the_sessions_of_ended_threads(
    server: Server, driver: str, scenario: str, run_program: Runner
) -> None:
    assert seen(run_program, server, driver, scenario, engine=STOCK)["sessions"] == 30


@pytest.mark.parametrize("gevent", [False, True], ids=["threads", "greenlets"])
@pytest.mark.parametrize("scenario", ENDINGS)
def test_ended_owners_give_their_slots_back_without_garbage_collection(
    server: Server, driver: str, scenario: str, gevent: bool, run_program: Runner
) -> None:
    pool = {"max_size": 4, "timeout": 20}
    found = seen(run_program, server, driver, scenario, gevent=gevent, pool=pool)
    assert found["errors"] == []
    assert found["sessions"] <= 4 + 1  # one may be on its way out
    assert (found["borrowed"], found["bounded"]) == (4, True)
    assert found.get("stored", 0) == 0


@pytest.mark.parametrize("gevent", [False, True], ids=["threads", "greenlets"])
def test_crowd_that_has_ended_leaves_few_sessions_in_a_silent_process(
    server: Server, driver: str, gevent: bool, run_program: Runner
) -> None:
    found = seen(run_program, server, driver, "ended_crowd", gevent=gevent)
    assert found == {"errors": [], "few": True, "agreed": True, "borrowed": True}


@pytest.mark.parametrize("gevent", [False, True], ids=["threads", "greenlets"])
def test_owners_that_end_all_at_once_give_their_slots_back(
    server: Server, driver: str, gevent: bool, run_program: Runner
) -> None:
    pool = {"max_size": 4, "timeout": 20}
    found = seen(run_program, server, driver, "ended_at_once", gevent=gevent, pool=pool)
    assert (found["errors"], found["borrowed"], found["bounded"]) == ([], 4, True)


@pytest.mark.parametrize("gevent", [False, True], ids=["threads", "greenlets"])
def test_more_resting_threads_than_connections_all_work_and_see_only_their_own(
    server: Server, driver: str, gevent: bool, run_program: Runner
) -> None:
    pool = {"max_size": 4, "timeout": 20}
    found = seen(run_program, server, driver, "resting_threads", gevent=gevent, pool=pool)
    assert (found["wrong"], found["errors"]) == (0, [])
    assert found["right"] + found["told"] == found["wanted"]
    assert found["recalls"] > 0
    assert found["sessions"] <= 4


@pytest.mark.fault
def test_stopped_server_holds_up_nobody_for_longer_than_the_bounds(
    private_server: Callable[..., Server], driver: str, run_program: Runner
) -> None:
    pool = {"max_size": 2, "timeout": 20}
    found = seen(
        run_program,
        private_server(),
        driver,
        "paused",
        pool=pool,
        connect_timeout=2,
        read_timeout=1,
    )
    for wait in (found["query"], found["connect"]):
        assert wait["kind"]
        assert wait["seconds"] < 10
    assert not found["ping"]["alive"]
    assert found["ping"]["seconds"] < 10
    assert (found["after"], found["borrowed"]) == (True, 2)


@pytest.mark.fault
def test_network_that_carries_nothing_holds_up_nobody_for_longer_than_the_bounds(
    server: Server, driver: str, run_program: Runner
) -> None:
    found = seen(run_program, server, driver, "blackhole", connect_timeout=2, read_timeout=1)
    for wait in (found["query"], found["connect"]):
        assert wait["number"] in (2003, 2013)
        assert wait["seconds"] < 10
    assert found["after"]


@pytest.mark.fault
@pytest.mark.parametrize("engine", [STOCK, LIFELINE])
def test_whoever_has_waited_for_read_timeout_does_not_wait_for_connecting_as_well(
    private_server: Callable[..., Server], driver: str, run_program: Runner, engine: str
) -> None:
    found = seen(
        run_program,
        private_server(),
        driver,
        "patience",
        engine=engine,
        connect_timeout=int(FOREVER),
        read_timeout=1,
    )
    told = found["told"]
    assert {name: each["number"] for name, each in told.items()} == dict.fromkeys(told, 2013)
    assert (len(told), found["after"]) == (4, True)


def test_stock_engine_leaves_half_open_connections_to_the_system(
    server: Server, driver: str, run_program: Runner
) -> None:
    found = seen(run_program, server, driver, "socket_options", engine=STOCK)
    assert (found["idle"], found["user_timeout"]) == (7200, 0)


def test_kernel_is_told_to_look_after_half_open_connections(
    server: Server, driver: str, run_program: Runner
) -> None:
    found = seen(run_program, server, driver, "socket_options")
    assert found == {"keepalive": 1, "idle": 60, "user_timeout": 30000}
    chosen = {"tcp_keepalive": 7, "tcp_user_timeout": 3.5}
    found = seen(run_program, server, driver, "socket_options", lifeline=chosen)
    assert found == {"keepalive": 1, "idle": 7, "user_timeout": 3500}


@pytest.mark.fault
def test_server_without_room_is_told_of_and_its_return_is_noticed(
    private_server: Callable[..., Server], driver: str, run_program: Runner
) -> None:
    pool = {"max_size": 3, "timeout": 0.5}
    patience = {"full_server_timeout": 1.0}
    server = private_server(max_connections=10)
    found = seen(run_program, server, driver, "refused", pool=pool, lifeline=patience)
    # Whoever comes first is told what the server said, whoever waits that nothing became free,
    # with what the server said.
    assert "1040" in found["first"]["text"]
    assert found["crowd"]["errors"] == 20
    assert set(found["crowd"]["kinds"]) <= {"OperationalError", "PoolTimeout"}
    assert all("1040" in text for text in found["crowd"]["texts"]), found["crowd"]["texts"]
    assert "1040" in found["told"]["text"]
    assert found["borrowed"] == 3


@pytest.mark.fault
def test_those_who_queue_at_a_full_server_get_its_own_error(
    private_server: Callable[..., Server], driver: str, run_program: Runner
) -> None:
    found = seen(
        run_program,
        private_server(max_connections=10),
        driver,
        "refused",
        pool={"max_size": 3, "timeout": 5},
        lifeline={"full_server_timeout": 1.0},
    )
    assert (found["crowd"]["errors"], set(found["crowd"]["kinds"])) == (20, {"OperationalError"})
