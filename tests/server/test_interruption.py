"""No row crosses over to another query, whatever breaks into an exchange.

Queries ask for rows with tags of their own while killed greenlets, time limits, signal handlers
and asynchronous exceptions break into them; several borrowers share a small pool, so that a
connection lent wrongly would show. LIFELINE_INTERRUPTIONS sets how often each program is struck.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.programs import LIFELINE, Runner

from lifeline_lab.servers import Server

PROGRAM = Path(__file__).parent / "programs" / "interruptions.py"
STOCK = "django.db.backends.mysql"
COUNT = int(os.environ.get("LIFELINE_INTERRUPTIONS", "80"))
MODES = ["signal", "threads", "kill", "timeout"]
MAX_SIZE = 4


def struck(
    run: Runner, server: Server, driver: str, mode: str, *, engine: str = LIFELINE, **env: str
) -> dict[str, Any]:
    """Run the program and return its tally."""
    pool = {"pool": {"max_size": MAX_SIZE}} if engine == LIFELINE else {}
    outcome = run(
        PROGRAM,
        server,
        driver,
        engine=engine,
        options={"read_timeout": 5, **pool},
        gevent=mode in ("kill", "timeout"),
        env={"MODE": mode, "COUNT": str(COUNT), **env},
        timeout=110,
        CONN_MAX_AGE=None,
    )
    tally: dict[str, Any] = outcome.json
    print(mode, driver, server.flavour, tally)
    return tally


@pytest.mark.fault
@pytest.mark.parametrize("mode", MODES)
def test_interrupted_queries_let_no_row_cross(
    server: Server, driver: str, mode: str, run_program: Runner
) -> None:
    tally = struck(run_program, server, driver, mode)
    assert tally["struck"] >= COUNT
    assert tally["asked"] > COUNT
    assert (tally["crossed"], tally["torn"], tally["errors"]) == (0, 0, {})
    assert tally["borrowed"] == MAX_SIZE
    assert tally["sessions"] <= MAX_SIZE


@pytest.mark.drawn
@pytest.mark.fault
@pytest.mark.parametrize("mode", MODES)
def test_without_the_protection_rows_cross(
    server: Server, driver: str, mode: str, run_program: Runner
) -> None:
    if driver == "mysqlclient" and mode in ("signal", "threads"):
        # Nothing can break into the C library's exchange, only between its steps: and then the
        # library itself refuses every further query.
        tally = struck(run_program, server, driver, mode, PROTECTION="off")
        assert tally["errors"]["ProgrammingError (2014,)"] > 0
    else:
        tally = struck(run_program, server, driver, mode, PROTECTION="off", COUNT="5000")
        assert tally["crossed"] > 0


@pytest.mark.drawn
@pytest.mark.fault
@pytest.mark.parametrize("mode", ["signal", "threads"])
def test_stock_engine_fails_after_an_interruption(
    server: Server, driver: str, mode: str, run_program: Runner
) -> None:
    tally = struck(run_program, server, driver, mode, engine=STOCK, COUNT="30")
    assert tally["crossed"] + sum(tally["errors"].values()) > 0
