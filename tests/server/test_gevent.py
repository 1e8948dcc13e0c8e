"""Under gevent, whoever waits for the server or for the pool lets the others run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fixtures.programs import LIFELINE, Runner

from lifeline_lab.servers import Server

PROGRAM = Path(__file__).parent / "programs" / "greenlets.py"
STOCK = "django.db.backends.mysql"
GREENLETS = 20


def seen(
    run: Runner,
    server: Server,
    driver: str,
    scenario: str,
    *,
    engine: str = LIFELINE,
    max_size: int = GREENLETS,
) -> dict[str, Any]:
    """Run the program and return what it saw."""
    outcome = run(
        PROGRAM,
        server,
        driver,
        engine=engine,
        gevent=True,
        options={"pool": {"max_size": max_size}} if engine == LIFELINE else {},
        env={"SCENARIO": scenario},
        CONN_MAX_AGE=None,
    )
    found: dict[str, Any] = outcome.json
    return found


def test_stock_mysqlclient_stalls_the_hub_with_each_query(
    server: Server, run_program: Runner
) -> None:
    found = seen(run_program, server, "mysqlclient", "sleepers", engine=STOCK)
    assert found["together"] == 1


def test_twenty_greenlets_wait_for_their_answers_at_the_same_time(
    server: Server, driver: str, run_program: Runner
) -> None:
    found = seen(run_program, server, driver, "sleepers")
    assert found["right"] == GREENLETS
    assert found["together"] == GREENLETS
    assert found["ticks"] >= 2


def test_transactions_of_many_greenlets_are_kept_apart(
    server: Server, driver: str, run_program: Runner
) -> None:
    found = seen(run_program, server, driver, "transactions", max_size=6)
    assert found["stored"] == GREENLETS / 2
    assert found["ticks"] > GREENLETS / 2


def test_waiting_greenlets_are_served_in_the_order_in_which_they_came(
    server: Server, driver: str, run_program: Runner
) -> None:
    found = seen(run_program, server, driver, "queue", max_size=1)
    assert found["order"] == list(range(GREENLETS))


def test_transactions_that_wait_for_a_lock_leave_the_hub_to_its_holder(
    server: Server, driver: str, run_program: Runner
) -> None:
    # Stock mysqlclient would wait in C for a lock whose holder can never run again.
    found = seen(run_program, server, driver, "transactions")
    assert found["stored"] == GREENLETS / 2


def test_pymysql_makes_a_tls_context_of_its_own_once_gevent_has_patched(
    shared_server: Callable[[str], Server], run_program: Runner
) -> None:
    found = run_program(
        PROGRAM.with_name("patched_late.py"),
        shared_server("mysql"),
        "pymysql",
        options={"ssl": {"check_hostname": False, "verify_mode": "none"}},
    ).json
    assert found == {"encrypted": True, "patched": True, "own": [True, True]}
