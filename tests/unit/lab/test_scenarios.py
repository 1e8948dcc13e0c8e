"""The scenarios: complete, and each with a program that exists."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from lifeline_lab.arms import ARMS, LIFELINE, STOCK_ARMS
from lifeline_lab.scenario import CAUSES, Scenario
from lifeline_lab.scenarios import all_scenarios, checked
from lifeline_lab.stage import PROGRAMS

SCENARIOS = all_scenarios()
each = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))


def test_every_cause_has_a_scenario() -> None:
    assert {scenario.cause for scenario in SCENARIOS.values()} == set(CAUSES)


def test_name_that_is_not_its_files_is_refused_as_it_might_hide_another() -> None:
    copied = SCENARIOS["kill-between"]
    with pytest.raises(ValueError, match=r"kill_again\.py: name is 'kill-between'.*'kill-again'"):
        checked("kill_again", copied)


def test_cause_that_is_none_is_refused_with_those_there_are() -> None:
    wrong = replace(SCENARIOS["kill-between"], cause="a KILL")
    with pytest.raises(ValueError, match=r"kill_between\.py: cause is 'a KILL'.*idle timeout"):
        checked("kill_between", wrong)


@each
def test_program_exists_and_pauses_where_the_faults_are(scenario: Scenario) -> None:
    source = (PROGRAMS / scenario.program[0]).read_text()
    if scenario.program[0] == "command_loop.py":
        source += (PROGRAMS / "office/management/commands/work.py").read_text()

    words = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}

    assert set(scenario.faults) <= words


@each
def test_lifeline_must_never_break(scenario: Scenario) -> None:
    assert not scenario.should_break(LIFELINE.name, "mysql", "pymysql")
    assert set(scenario.must_break) <= set(STOCK_ARMS)


@each
def test_scenario_either_breaks_stock_somewhere_or_is_a_control(scenario: Scenario) -> None:
    breaks = [
        scenario.should_break(arm, server, driver)
        for arm in ARMS
        for server in ("mariadb", "mysql")
        for driver in scenario.drivers
    ]

    assert any(breaks) != scenario.control


@each
def test_gentle_scenario_needs_neither_proxy_nor_server_of_its_own(scenario: Scenario) -> None:
    harmless = not scenario.proxy and not scenario.own_server
    only_wait_timeout = set(scenario.variables) <= {"wait_timeout"}

    assert not scenario.gentle or (harmless and only_wait_timeout)


def test_exception_for_one_server_and_driver_goes_before_one_for_the_driver() -> None:
    scenario = SCENARIOS["fork-child-queries"]

    assert not scenario.should_break("stock", "mariadb", "pymysql")
    assert scenario.should_break("stock", "mysql", "pymysql")
    assert scenario.should_break("stock", "mariadb", "mysqlclient")
