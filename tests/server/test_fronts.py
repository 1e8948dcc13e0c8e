"""Behind MySQL Router and behind stunnel a program of the ORM runs as it does with stock Django."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.programs import Runner
from tests.fixtures.servers import missing

from lifeline_lab.servers import Server, ServerMissing
from lifeline_lab.servers.finding import on_path
from lifeline_lab.topologies.clusters import Cluster, alone, group
from lifeline_lab.topologies.router import Router
from lifeline_lab.topologies.situations import Front
from lifeline_lab.topologies.stunnel import Stunnel

pytestmark = pytest.mark.server

PROGRAM = Path(__file__).parent / "programs" / "fronts.py"
SHARING = {
    "routing:bootstrap_rw.connection_sharing": 1,
    "routing:bootstrap_rw.connection_sharing_delay": 0,
}
FRONTS: dict[str, Callable[[ExitStack], tuple[Cluster, Front]]] = {
    "router": lambda stack: _router(stack, {}),
    "router that shares connections": lambda stack: _router(stack, SHARING),
    "stunnel": lambda stack: _stunnel(stack),
}


def _router(stack: ExitStack, options: dict[str, object]) -> tuple[Cluster, Front]:
    cluster = stack.enter_context(group(1))
    return cluster, stack.enter_context(Router(cluster, options))


def _stunnel(stack: ExitStack) -> tuple[Cluster, Front]:
    cluster = stack.enter_context(alone("mariadb"))
    return cluster, stack.enter_context(Stunnel(cluster))


@dataclass
class Fronts:
    """What was started so far, and what the program said behind it."""

    stack: ExitStack
    run: Runner
    started: dict[str, tuple[Cluster, Front]]
    said: dict[tuple[str, str], Any]

    def report(self, name: str, driver: str) -> Any:
        if name not in self.started:
            try:
                self.started[name] = FRONTS[name](self.stack)
            except ServerMissing as error:
                missing(str(error))
        if (name, driver) not in self.said:
            cluster, front = self.started[name]
            where = {"HOST": front.host, "PORT": front.port}
            self.said[name, driver] = self.run(PROGRAM, cluster.servers[0], driver, **where)
        return self.said[name, driver].json


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronts]:
    """Each front is started once, and the program runs once behind it with each driver."""
    with ExitStack() as stack:
        yield Fronts(stack, Runner(tmp_path_factory.mktemp("fronts"), stack), {}, {})


@pytest.fixture(params=FRONTS)
def report(request: pytest.FixtureRequest, fronts: Fronts, driver: str) -> Any:
    """What the program said behind each front."""
    return fronts.report(request.param, driver)


@pytest.mark.parametrize("check", ["work", "session"])
def test_work_behind_it_comes_to_the_same_as_with_stock(report: Any, check: str) -> None:
    assert report["lifeline"][check] == report["stock"][check]


def test_work_stores_what_was_committed(report: Any) -> None:
    story = report["lifeline"]["work"]
    assert story[:4] == [1, 1, [2, 3], "committed"]
    assert story[-1] == [2, 3]


def test_what_was_left_in_a_session_is_gone(report: Any) -> None:
    assert report["lifeline"]["what_was_left_in_a_session"] in ("SYSTEM", "b'SYSTEM'")


@pytest.mark.parametrize("loss", ["killed_while_idle", "idle_for_longer_than_the_server_waits"])
def test_statement_after_a_loss_runs_once(report: Any, loss: str) -> None:
    told = report["lifeline"][loss]
    assert told["said"] == ["ok", "ok 7"]
    assert told["stored"] == 1


@pytest.mark.parametrize("name", ["router", "stunnel"])
def test_idle_timeout_is_named_through_it(fronts: Fronts, driver: str, name: str) -> None:
    told = fronts.report(name, driver)["lifeline"]["idle_for_longer_than_the_server_waits"]
    assert told["causes"] == ["idle_timeout"]


@pytest.mark.parametrize("name", ["router", "stunnel"])
def test_stock_fails_after_either_loss(fronts: Fronts, driver: str, name: str) -> None:
    stock = fronts.report(name, driver)["stock"]
    for loss in ("killed_while_idle", "idle_for_longer_than_the_server_waits"):
        assert "ok" not in stock[loss]["said"]


@pytest.fixture
def reloaded(reports: Callable[..., Any], server: Server, driver: str) -> Any:
    """What each engine met when a reloaded HAProxy ended the connections it still served."""
    if on_path("haproxy") is None:
        missing("There is no haproxy: apt-get install haproxy")
    return reports("haproxy_reload", server, driver)


def test_reload_of_haproxy_is_not_noticed_by_what_was_idle(reloaded: Any) -> None:
    assert reloaded["lifeline"]["idle"] == {"said": ["ok", "ok 7"], "stored": 1}
    assert reloaded["stock"]["idle"]["stored"] == 0


def test_reload_of_haproxy_rolls_a_transaction_back(reloaded: Any) -> None:
    lost, after = reloaded["lifeline"]["in_a_transaction"]["said"]
    assert lost.startswith("ConnectionLost") and lost.endswith("rolled_back")
    assert after == "ok"
    assert reloaded["lifeline"]["in_a_transaction"]["stored"] == 1
    assert "ok" not in reloaded["stock"]["in_a_transaction"]["said"][0]
