"""What is made of the history of a load."""

from __future__ import annotations

from lifeline_lab.topologies.__main__ import COLUMNS, as_row
from lifeline_lab.topologies.figures import figures

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
    found = figures(HISTORY, ready=2.2, stored={"a", "d", "f"}, connects=3)
    assert found.writes == 6
    assert found.failed == {"1290": 2, "2013": 1}
    assert found.failed_reads == 1
    assert found.connects == 3


def test_times_are_counted_from_the_moment_at_which_a_writable_server_was_there() -> None:
    found = figures(HISTORY, ready=2.5, stored=set(), connects=0)
    assert found.first_success == 0.5
    assert found.last_failure == 1.0


def test_nothing_after_that_moment_is_told_as_never() -> None:
    found = figures(HISTORY, ready=9.0, stored=set(), connects=0)
    assert (found.first_success, found.last_failure) == (None, None)
    assert "| never |" in as_row("it", "Django", found)


def test_only_what_was_acknowledged_can_be_lost() -> None:
    assert figures(HISTORY, ready=2.0, stored={"a", "e"}, connects=0).lost == 2


def test_row_has_a_cell_for_each_column() -> None:
    row = as_row("it", "Django", figures(HISTORY, ready=2.0, stored=set(), connects=0))
    assert row.count("|") == len(COLUMNS) + 1
    assert "1290 × 2, 2013 × 1" in row
