"""The MariaDB of Debian unstable, beside an older one that is installed, and what is new in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.programs import LIFELINE, Runner
from tests.fixtures.servers import started

from lifeline_lab.servers import Server

pytestmark = pytest.mark.server

PROGRAM = Path(__file__).parent / "programs" / "record_changed.py"


@pytest.fixture(scope="module")
def newer() -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LIFELINE_MARIADB", "unpacked")
        server = started("mariadb")
    with server:
        yield server


def test_unpacked_server_is_of_its_own_version(newer: Server) -> None:
    [[version]] = newer.query("SELECT VERSION()")
    assert version.startswith(newer.version)
    assert int(newer.version.split(".")[0]) >= 11


@pytest.fixture(params=["django.db.backends.mysql", LIFELINE], ids=["stock", "lifeline"])
def said(request: pytest.FixtureRequest, run_program: Runner, newer: Server, driver: str) -> Any:
    options = {"isolation_level": "repeatable read"}
    return run_program(PROGRAM, newer, driver, engine=request.param, options=options).json


def test_row_changed_since_it_was_read_undoes_the_block_and_not_what_follows(said: Any) -> None:
    assert said["fails"] == {"said": 1020, "stored": []}
    assert said["commits"] == {"said": 1020, "stored": ["after"]}
    assert said["run_again"] == {"runs": 2, "stored": ["once"]}
    assert said["held"] == 3, "only the rival's changes"
