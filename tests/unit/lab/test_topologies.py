"""What is made of the history of a load, and the page of all of them."""

from __future__ import annotations

import pytest

from lifeline_lab.servers import ServerMissing
from lifeline_lab.topologies import galera, page
from lifeline_lab.topologies.__main__ import ARMS, DRIVERS, PAGE, order, run
from lifeline_lab.topologies.figures import figures
from lifeline_lab.topologies.page import COLUMNS, as_row
from lifeline_lab.topologies.situations import SITUATIONS, Situation

HISTORY = [
    (1.0, "write", "ok", "a"),
    (1.1, "read", "ok", "a"),
    (2.0, "write", "1290", "b"),
    (2.5, "write", "1290", "c"),
    (2.6, "read", "2013", "c"),
    (3.0, "write", "ok", "d"),
    (3.5, "write", "2013", "e"),
    (4.0, "write", "ok", "f"),
]


def test_figures_count_writes_by_what_they_came_to() -> None:
    found = figures(HISTORY, ready=[2.2], stored={"a", "d", "f"}, connects=3)
    assert found.writes == 6
    assert found.failed == {"1290": 2, "2013": 1}
    assert found.failed_reads == 1
    assert found.connects == 3


def test_times_are_counted_from_the_moment_at_which_a_writable_server_was_there() -> None:
    found = figures(HISTORY, ready=[2.5], stored=set(), connects=0)
    assert found.first_success == 0.5
    assert found.last_failure == 1.0


def test_nothing_after_that_moment_is_told_as_never() -> None:
    found = figures(HISTORY, ready=[9.0], stored=set(), connects=0)
    assert (found.first_success, found.last_failure) == (None, None)
    assert "| never |" in as_row("it", "Django", found)


def test_only_what_was_acknowledged_can_be_lost() -> None:
    assert figures(HISTORY, ready=[2.0], stored={"a", "e"}, connects=0).lost == 2


def test_row_has_a_cell_for_each_column() -> None:
    row = as_row("it", "Django", figures(HISTORY, ready=[2.0], stored=set(), connects=0))
    assert row.count("|") == len(COLUMNS) + 1
    assert "1290 × 2, 2013 × 1" in row


def test_first_write_is_the_longest_wait_where_the_writable_server_moved_more_than_once() -> None:
    found = figures(HISTORY, ready=[0.9, 1.5, 3.9], stored=set(), connects=0)
    assert found.first_success == 1.5
    assert found.last_failure == 2.6


def test_no_write_after_the_last_move_is_told_as_never() -> None:
    assert figures(HISTORY, ready=[0.9, 4.5], stored=set(), connects=0).first_success is None


def test_page_keeps_the_rows_of_situations_that_did_not_run() -> None:
    found = figures(HISTORY, ready=[2.0], stored=set(), connects=0)
    rows = [("a", "Django"), ("b", "Django"), ("c", "Django")]
    made = "Last run: today."
    before = page.write({row: as_row(*row, found) for row in rows}, rows, threads=8, made=made)
    changed = {**page.read(before), ("b", "Django"): as_row("b", "Django", found) + " anew"}
    after = page.write(changed, rows, threads=8, made=made)
    second = before.splitlines()[-4]
    assert after == before.replace(second, f"{second} anew")


def test_page_of_results_has_only_rows_of_situations_that_are_known() -> None:
    known = order()
    assert len(set(known)) == len(known) == len(SITUATIONS) * len(DRIVERS) * len(ARMS)
    assert set(page.read(PAGE.read_text())) <= set(known)


@pytest.mark.parametrize(
    "title",
    [
        "Galera: node is shut down",
        "Galera: node killed",
        "Galera: node cut off from the others",
        "Galera: drained node is a donor",
        "Galera: drained node is a donor, sessions ended",
        "Galera: node set to refuse queries",
        "Rolling restart, Galera of three",
        "Rolling restart, MariaDB pair",
        "Rolling restart, Group Replication of three",
    ],
)
def test_situation_is_known_by_its_title(title: str) -> None:
    assert title in {situation.title for situation in SITUATIONS}


def test_situation_whose_servers_are_missing_is_skipped_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(galera, "PLACES", ())
    with pytest.raises(ServerMissing):
        galera.provider()

    def servers() -> object:
        return galera.provider()

    found = run(Situation("it", servers, lambda cluster, proxy: []), "mysqlclient")  # type: ignore[arg-type]
    assert found == {}
    assert "SKIPPED it: There is no Galera: apt-get install galera-4" in capsys.readouterr().out
