"""The benchmarks measure what they say; how fast anything is, is not tested."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from contextlib import contextmanager

import pytest
from benchmarks import atomic, report
from benchmarks.arms import DATABASE, LIFELINE, MYSQLCLIENT, PYMYSQL, Turn, installed, take_turns

from lifeline_lab.servers import Server


class FakeWorker:
    """Takes as long as it is told, and writes down when it had its turn."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log

    def batch(self, unit: str, count: int) -> dict[str, float]:
        self.log.append(self.name)
        return {"wall": 1.0, "cpu": 0.5}

    def start_again(self) -> None:
        self.log.append(f"{self.name} anew")


def turns(log: list[str]) -> list[Turn]:
    return [Turn(name, FakeWorker(name, log), "request", 1) for name in "abc"]


def test_in_every_round_each_arm_has_one_turn() -> None:
    log: list[str] = []
    take_turns(turns(log), rounds=20, seed=1)
    rounds = [sorted(log[start : start + 3]) for start in range(0, 60, 3)]
    assert rounds == [["a", "b", "c"]] * 20


def test_the_order_of_turns_changes_and_the_seed_repeats_it() -> None:
    first: list[str] = []
    second: list[str] = []
    take_turns(turns(first), rounds=20, seed=1)
    take_turns(turns(second), rounds=20, seed=1)
    assert first == second
    assert len({"".join(first[start : start + 3]) for start in range(0, 60, 3)}) > 1


def test_each_arm_is_several_processes_that_work_in_the_same_rounds() -> None:
    log: list[str] = []
    take_turns(turns(log), rounds=5, seed=1, processes=3)
    parts = " ".join(log).replace("a anew b anew c anew", "|").split("|")
    assert [sorted(part.split()) for part in parts] == [sorted("aabbcc")] * 2 + [sorted("abc")]


def test_two_turns_of_one_worker_get_one_new_process() -> None:
    log: list[str] = []
    worker = FakeWorker("a", log)
    both = [Turn(name, worker, name, 1) for name in ("request", "bare")]  # type: ignore[arg-type]
    take_turns(both, rounds=2, seed=1, processes=2)
    assert log == ["a", "a", "a anew", "a", "a"]


def test_ratios_are_taken_within_rounds_so_one_disturbed_round_does_not_decide() -> None:
    # Of the medians alone, 200 and 50, the ratio would be 4.
    assert report.ratios([2.0, 200.0, 200.0], [1.0, 100.0, 50.0]) == (2.0, 2.0, 3.0)


def test_a_target_is_met_or_missed_only_where_the_rounds_agree() -> None:
    steady = {"theirs": {"wall": [10.0] * 30}}
    groups = [
        {"figures": {"ours": {"wall": [9.0] * 30}, **steady}},
        {"figures": {"ours": {"wall": [11.0] * 30}, **steady}},
        {"figures": {"ours": {"wall": [5.0, 15.0] * 15}, **steady}},
        {"figures": steady},
    ]
    verdict = report.Target("ours", "theirs", 1.0).verdict(groups)
    assert "of 3 settings met in 1, missed in 1, undecided in 1" in verdict


def test_the_interval_of_a_median_ignores_the_tails_and_takes_few_values_whole() -> None:
    assert report.interval([1000.0, *range(1, 41)]) == (15.0, 27.0)
    assert report.interval([3.0, 1.0]) == (1.0, 3.0)


@pytest.mark.parametrize(("load", "warned"), [(0.5, False), (9.0, True)])
def test_a_busy_machine_is_told_on_the_page(load: float, warned: bool) -> None:
    record = {
        "date": "2026-01-01",
        "machine": {
            "cores": 2,
            "processor": "some",
            "system": "Linux",
            "load_before": [load],
            "load_after": [load],
        },
        "versions": {},
        "options": {},
    }
    assert ("rough figures only" in report.machine(record)) is warned


def test_the_page_in_docs_is_what_the_kept_figures_give() -> None:
    assert report.PAGE.read_text() == report.page(report.read(report.RESULTS))


@contextmanager
def benchmark_database(server: Server):
    server.create_database(DATABASE)
    try:
        yield
    finally:
        server.drop_database(DATABASE)


def test_one_batch_of_transactions_counts_one_statement_less_than_stock(
    shared_server: Callable[[str], Server],
) -> None:
    transport = MYSQLCLIENT if installed(LIFELINE, MYSQLCLIENT) else PYMYSQL
    server = shared_server("mariadb")
    with benchmark_database(server):
        group = atomic.group(server, transport, Namespace(rounds=1, batch=1, seed=1, processes=1))
    assert group["statements"]["stock-persistent"] == 4
    assert group["statements"]["lifeline"] == 3
    assert all(len(kinds["wall"]) == 1 for kinds in group["figures"].values())
    assert "lifeline" in report.atomic({"groups": [group]})
