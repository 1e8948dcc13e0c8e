"""A server for tests that need none: nothing is stored and nobody is connected."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lifeline_lab.admin import Login
from lifeline_lab.cell import Cell, Place, Result
from lifeline_lab.history import Event
from lifeline_lab.judges import Check, Kind, Verdict, every
from lifeline_lab.scenario import Scenario

PLACE = Place("mariadb", Login("admin", "secret"), Login("user", "secret"), server=object())


class FakeAdmin:
    """Takes the place of `Admin`."""

    def __init__(self, *_: object) -> None:
        self.closed = False

    def with_tables(self, own_database: bool) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        return {}

    def sessions(self, only: object = None) -> list[Any]:
        return []

    def version(self) -> str:
        return "1.0-fake"

    def close(self) -> None:
        self.closed = True


def scenario(name: str = "fake", program: Path | None = None, **more: Any) -> Scenario:
    wanted: dict[str, Any] = {
        "title": name.title(),
        "story": "A story with <angle> brackets.",
        "place": "somewhere",
        "cause": "fork",
        "judge": every(),
        "program": (str(program or "none.py"),),
        **more,
    }
    return Scenario(name=name, **wanted)


def result(
    arm: str,
    kind: Kind,
    label: str = "",
    *,
    of: Scenario | None = None,
    history: tuple[Event, ...] = (),
    **places: str,
) -> Result:
    where = {"server": "mariadb", "driver": "mysqlclient", **places}
    cell = Cell(of or scenario(), where["server"], where["driver"], arm)
    return Result(cell, Verdict(kind, label or kind.value, "because"), history, 0.1, "10.11")


@contextlib.contextmanager
def fake_server(flavour: str, variables: object) -> Iterator[Place]:
    yield PLACE


ANYTHING: Check = every()
