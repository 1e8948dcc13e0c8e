"""The runner: which cells, on which servers, and what they prove."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.unit.lab.fakes import PLACE, fake_server, result, scenario

from lifeline_lab.cell import Cell, Place, Result
from lifeline_lab.judges import Kind
from lifeline_lab.runner import Selection, Servers, groups, run, succeeded
from lifeline_lab.scenario import Scenario

ARMS = ("stock", "lifeline")
MEETING = 0.1
"""Seconds in which cells that run at the same time are sure to meet."""


def selection(*scenarios: Scenario) -> Selection:
    return Selection(scenarios, ("mariadb",), ("mysqlclient", "pymysql"), ARMS)


def survive(cell: Cell, place: Place, number: int) -> Result:
    return result(cell.arm, Kind.SURVIVED, of=cell.scenario, driver=cell.driver)


def test_selection_leaves_out_drivers_that_a_scenario_is_not_for() -> None:
    cells = selection(scenario("both"), scenario("one", drivers=("pymysql",))).cells()

    assert sum(cell.scenario.name == "both" for cell in cells) == 4
    assert {cell.driver for cell in cells if cell.scenario.name == "one"} == {"pymysql"}


def test_cells_with_a_server_of_their_own_come_first() -> None:
    cells = selection(scenario("shared"), scenario("own", own_server=True)).cells()

    assert [cell.scenario.name for cell in cells] == ["own"] * 4 + ["shared"] * 4


def test_every_cell_is_run_once_with_a_number_of_its_own_and_told_of() -> None:
    numbers: list[int] = []
    told: list[Result] = []

    def count(cell: Cell, place: Place, number: int) -> Result:
        numbers.append(number)
        return survive(cell, place, number)

    results = run(
        selection(scenario()), Servers(fake_server), jobs=3, tell=told.append, run_one=count
    )

    assert sorted(numbers) == [1, 2, 3, 4]
    assert told == results


def test_server_that_does_not_start_is_an_error_of_the_lab() -> None:
    @contextmanager
    def broken(flavour: str, variables: Mapping[str, object]) -> Iterator[Place]:
        raise RuntimeError("no room")
        yield PLACE

    results = run(selection(scenario()), Servers(broken), jobs=1, tell=lambda result: None)

    assert {result.verdict.kind for result in results} == {Kind.LAB_ERROR}
    assert "no room" in results[0].verdict.why


def test_scenarios_with_the_same_needs_share_a_server() -> None:
    started: list[Mapping[str, object]] = []

    @contextmanager
    def counted(flavour: str, variables: Mapping[str, object]) -> Iterator[Place]:
        started.append(variables)
        yield PLACE

    short = {"wait_timeout": 1}
    chosen = selection(
        scenario("a", variables=short), scenario("b", variables=short), scenario("c")
    )
    run(chosen, Servers(counted), jobs=4, tell=lambda result: None, run_one=survive)

    assert sorted(map(str, started)) == ["{'wait_timeout': 1}", "{}"]


def test_cells_on_a_server_of_their_own_run_one_after_the_other() -> None:
    inside: list[Cell] = []
    met = threading.Event()

    def alone(cell: Cell, place: Place, number: int) -> Result:
        inside.append(cell)
        if len(inside) > 1:
            met.set()
        met.wait(MEETING)
        inside.remove(cell)
        return survive(cell, place, number)

    chosen = selection(scenario(own_server=True))
    run(chosen, Servers(fake_server), jobs=4, tell=lambda result: None, run_one=alone)

    assert not met.is_set()


def test_servers_are_stopped_when_all_is_done() -> None:
    stopped: list[str] = []

    @contextmanager
    def watched(flavour: str, variables: Mapping[str, object]) -> Iterator[Place]:
        yield PLACE
        stopped.append(flavour)

    run(selection(scenario()), Servers(watched), jobs=1, tell=lambda r: None, run_one=survive)

    assert stopped == ["mariadb"]


def test_group_whose_stock_arm_survives_proves_nothing() -> None:
    (group,) = groups([result("stock", Kind.SURVIVED), result("lifeline", Kind.SURVIVED)])

    assert group.unbroken == ("stock",)
    assert not succeeded(group.results)


def test_broken_program_proves_nothing_either() -> None:
    (group,) = groups([result("stock", Kind.PROGRAM_BROKEN)])

    assert group.unbroken == ("stock",)


def test_run_succeeds_when_ours_survives_and_stock_breaks() -> None:
    assert succeeded([result("stock", Kind.BROKEN), result("lifeline", Kind.SURVIVED)])
    assert not succeeded([result("stock", Kind.BROKEN), result("lifeline", Kind.BROKEN)])
    assert not succeeded([])
