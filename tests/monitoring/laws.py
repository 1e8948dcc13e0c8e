"""What holds for every tool: it sees with this engine what it sees with Django's own.

Each tool has a module of its own, with classes that inherit these tests.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from tests.fixtures.servers import missing
from tests.monitoring.conftest import LATE, PLACES, Place, Seen

# What tools say of connecting, which a pool does less often than stock Django.
CONNECTING = {
    "connect",
    "MySQLdb.connection.connect",
    "pymysql.connection.connect",
    "Function/MySQLdb:Connect",
    "Function/pymysql.connections:Connection",
}
# Stock Django's opening statements, as told by a tool that keeps no texts.
OPENING = {"Datastore/operation/MySQL/set"}
REQUESTS = 20
TURNS = 4

Records = dict[str, list[Any]]


def needs(module: str, package: str) -> None:
    """Skip, or fail in CI, where a tool is not installed."""
    if importlib.util.find_spec(module) is None:
        missing(f"{package} is not installed: pip install {package}")


def statements(records: Records) -> Records:
    """Return what was recorded of the application's statements, and no more than that."""
    left_out = CONNECTING | OPENING
    return {
        name: [record for record in those if record["what"] not in left_out]
        for name, those in records.items()
    }


def texts(records: list[Any]) -> list[str]:
    return [record["what"] for record in records]


class Watches:
    """Inherit this, and say which tool it is."""

    tool: ClassVar[str]
    module: ClassVar[str]
    package: ClassVar[str]
    attempts: ClassVar[int] = 2
    """How many records there are of a statement that the engine repeats."""

    @pytest.fixture(params=PLACES, ids=str)
    def place(self, request: pytest.FixtureRequest) -> Place:
        """The cells in which the tool is tried."""
        return request.param

    @pytest.fixture
    def seen(self, watch: Callable[..., Seen], place: Place) -> Seen:
        """What the tool saw there, with both engines."""
        needs(self.module, self.package)
        return watch(self.tool, place)

    def failed(self, record: Any) -> bool:
        """Whether the tool says of a statement that it failed."""
        raise NotImplementedError

    def once(self, records: list[Any]) -> list[Any]:
        """Return one record of each statement, where the tool keeps several."""
        return records


class SeesWhatItSeesWithStock(Watches):
    """The application's statements, one by one, and nothing that the engine does for itself."""

    def test_application_gets_what_it_gets_with_stock(self, seen: Seen) -> None:
        assert seen.ours["work"]["answers"] == seen.stock["work"]["answers"]

    def test_each_step_is_recorded_as_with_stock(self, seen: Seen) -> None:
        stock, ours = seen.stock["work"]["records"], seen.ours["work"]["records"]
        assert len(stock) >= 10
        assert ours == stock

    def test_connecting_is_recorded_as_with_stock(self, seen: Seen, place: Place) -> None:
        stock, ours = (
            texts(engine["opening"]["records"].get("connects", []))
            for engine in (seen.stock, seen.ours)
        )
        expected = [what for what in stock if what in CONNECTING]
        # Late, the pool may have a connection already.
        assert ours == expected or place.begins == "late" and ours == []

    def test_statements_of_two_threads_stay_apart(self, seen: Seen) -> None:
        for number in range(2):
            told = texts(self.once(seen.ours["work"]["records"][f"thread_{number}"]))
            assert told == [f"SELECT {number}{turn}" for turn in range(TURNS)]

    def test_statement_after_a_kill_works_and_is_recorded_once(self, seen: Seen) -> None:
        healing, work = seen.ours["healing"], seen.ours["work"]
        assert healing["answers"]["heals"][0] == work["answers"]["fetches_in_parts"][1]
        healed = statements(healing["records"])["heals"]
        assert texts(healed) == texts(work["records"]["reads"])
        assert not any(map(self.failed, healed))

    def test_read_killed_while_it_runs_is_repeated(self, seen: Seen) -> None:
        healing, work = seen.ours["healing"], seen.ours["work"]
        assert healing["answers"]["repeats"] == work["answers"]["fetches_in_parts"][1]
        *before, last = self.once(statements(healing["records"])["repeats"])
        assert not self.failed(last)
        # Who wraps the driver sees both attempts, who wraps Django's cursor the one statement.
        assert [self.failed(record) for record in before] == [True] * (self.attempts - 1)
        assert set(texts(before)) <= {last["what"]}

    def test_write_killed_while_it_runs_is_lost_and_recorded_as_failed(self, seen: Seen) -> None:
        healing = seen.ours["healing"]
        assert healing["answers"]["is_lost"][0] == "ConnectionLost"
        lost, after = self.once(statements(healing["records"])["is_lost"])
        assert lost["what"].startswith("UPDATE")
        assert self.failed(lost)
        assert not self.failed(after)

    def test_requests_share_a_connection_and_are_recorded_as_with_stock(self, seen: Seen) -> None:
        stock, ours = seen.stock["requests"], seen.ours["requests"]
        assert stock["answers"] == len(ours["records"]) == REQUESTS
        assert ours["answers"] == 1
        assert statements(ours["records"]) == statements(stock["records"])


class SwitchesOnLate(Watches):
    """What becomes of a connection that was opened before the tool was switched on."""

    @pytest.fixture(params=LATE, ids=str)
    def place(self, request: pytest.FixtureRequest) -> Place:
        return request.param

    def test_switched_on_late_it_sees_the_same_connections_as_with_stock(self, seen: Seen) -> None:
        stock, ours = seen.stock["switched_on"]["records"], seen.ours["switched_on"]["records"]
        assert "next_connection" in stock
        assert statements(ours) == statements(stock)


class SwitchesOff(Watches):
    """What becomes of a connection that was opened before the tool was switched off."""

    def test_switched_off_it_sees_the_same_connections_as_with_stock(self, seen: Seen) -> None:
        stock, ours = seen.stock["switched_off"]["records"], seen.ours["switched_off"]["records"]
        assert "next_connection" not in stock
        assert statements(ours) == statements(stock)
