"""The lab's short set, for real: first stock Django must break, then this engine survives."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from tests.fixtures.servers import missing

from lifeline_lab.arms import ARMS, LIFELINE
from lifeline_lab.cell import Cell, Result, run_cell
from lifeline_lab.judges import Kind
from lifeline_lab.runner import Servers, lab_server
from lifeline_lab.scenario import Scenario
from lifeline_lab.scenarios import all_scenarios
from lifeline_lab.servers import ServerMissing

pytestmark = [pytest.mark.drawn, pytest.mark.fault, pytest.mark.server, pytest.mark.slow]
QUICK = {name: each for name, each in all_scenarios().items() if each.quick}
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    running = Servers(lab_server)
    yield running
    running.close()


def run(servers: Servers, cell: Cell) -> Result:
    try:
        with servers.place_for(cell) as place:
            return run_cell(cell, place, next(numbers))
    except ServerMissing as error:
        missing(str(error))


@pytest.mark.parametrize("scenario", QUICK.values(), ids=list(QUICK))
def test_stock_breaks_first_and_then_lifeline_survives(
    scenario: Scenario, flavour: str, driver: str, servers: Servers
) -> None:
    first = next(arm for arm in ARMS if scenario.should_break(arm, flavour, driver))

    stock = run(servers, Cell(scenario, flavour, driver, first))
    assert stock.verdict.kind is Kind.BROKEN, f"proves nothing: {stock.verdict}"

    ours = run(servers, Cell(scenario, flavour, driver, LIFELINE.name))
    assert ours.verdict.kind is Kind.SURVIVED, ours.verdict
