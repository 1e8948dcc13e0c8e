"""Runs the shop, with Django's engine and with ours, watched by one tool."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.databases import fresh_database
from tests.fixtures.programs import LIFELINE, Outcome, Runner
from tests.fixtures.servers import DRIVERS, missing

from lifeline_lab.servers import Server

PROGRAMS = Path(__file__).parent / "programs"
STOCK = "django.db.backends.mysql"
AT_START = "tests.monitoring.tools.at_start"


@dataclass(frozen=True)
class Place:
    """One cell of the matrix. What a tool does depends little on the server, so each has two."""

    driver: str
    flavour: str
    begins: str
    """``start``: before ``django.setup()``; ``late``: after the first connection."""

    def __str__(self) -> str:
        return f"{self.driver}-{self.flavour}-{self.begins}"


PLACES = [
    Place("mysqlclient", "mariadb", "start"),
    Place("pymysql", "mysql", "start"),
    Place("mysqlclient", "mysql", "late"),
    Place("pymysql", "mariadb", "late"),
]
FROM_THE_START = [place for place in PLACES if place.begins == "start"]
LATE = [place for place in PLACES if place.begins == "late"]


@dataclass(frozen=True)
class Seen:
    """What both engines' programs said; a program that failed shows why, to each test."""

    stock_said: Outcome
    we_said: Outcome

    @property
    def stock(self) -> Any:
        return self.stock_said.json

    @property
    def ours(self) -> Any:
        return self.we_said.json


@pytest.fixture(scope="module")
def watch(
    tmp_path_factory: pytest.TempPathFactory, shared_server: Callable[[str], Server]
) -> Iterator[Callable[..., Seen]]:
    """``watch("sentry", place)``: what that tool saw; each program runs once for all tests."""
    said: dict[tuple[str, Place], Seen] = {}
    with ExitStack() as cleanup:
        run = Runner(tmp_path_factory.mktemp("monitoring"), cleanup)

        def get(tool: str, place: Place, program: str = "shop") -> Seen:
            if (tool, place) not in said:
                said[tool, place] = watched(run, tool, place, shared_server(place.flavour), program)
            return said[tool, place]

        yield get


def watched(run: Runner, tool: str, place: Place, server: Server, program: str) -> Seen:
    """What a program says in one place with each engine, on one database."""
    if importlib.util.find_spec(DRIVERS[place.driver]) is None:
        missing(f"The driver is not installed: pip install 'django-lifeline[{place.driver}]'")
    env = {
        "WATCHED_BY": tool,
        "WATCHED_DRIVER": place.driver,
        "WATCHED_FROM": place.begins,
        # Elastic's agent keeps in a set, and so in any order, what it wraps.
        "PYTHONHASHSEED": "0",
    }
    if place.begins == "start":
        env["IMPORTED_BEFORE_SETUP"] = AT_START
    path = PROGRAMS / f"{program}.py"
    with fresh_database(server) as name:
        stock, ours = (
            run(path, server, place.driver, engine=engine, env=env, NAME=name)
            for engine in (STOCK, LIFELINE)
        )
    return Seen(stock, ours)
