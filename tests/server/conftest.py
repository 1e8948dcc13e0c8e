"""Runs a program of ``programs`` once for each server and driver, for all tests that judge it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.programs import Runner

from lifeline_lab.servers import Server

PROGRAMS = Path(__file__).parent / "programs"

Report = Callable[..., Any]


@pytest.fixture(scope="session")
def reports(
    tmp_path_factory: pytest.TempPathFactory, shared_server: Callable[[str], Server]
) -> Iterator[Callable[..., Any]]:
    """What each program has said so far; a program that failed is not run again."""
    said: dict[tuple[str, str, str], Any] = {}
    with ExitStack() as cleanup:
        run = Runner(tmp_path_factory.mktemp("reports"), cleanup)

        def get(name: str, server: Server, driver: str, **settings: Any) -> Any:
            key = (name, server.flavour, driver)
            if key not in said:
                said[key] = run(PROGRAMS / f"{name}.py", server, driver, **settings)
            return said[key].json

        yield get


@pytest.fixture
def report(reports: Callable[..., Any], server: Server, driver: str) -> Report:
    """``report("healing")``: what the program ``healing.py`` said of this server and driver."""
    return lambda name, **settings: reports(name, server, driver, **settings)
