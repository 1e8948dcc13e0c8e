"""The matrix in Markdown."""

from __future__ import annotations

from tests.unit.lab.fakes import result, scenario

from lifeline_lab.judges import Kind
from lifeline_lab.markdown import as_markdown, summarise


def test_cell_is_ticked_only_when_all_servers_and_drivers_survived() -> None:
    survived = result("lifeline", Kind.SURVIVED)
    broken = result("lifeline", Kind.BROKEN, "2006, (0, '')", driver="pymysql")

    assert summarise([survived, survived]) == "✓"
    assert summarise([survived, broken]) == "✗ 2006, (0, '') (1 of 2)"
    assert summarise([broken, broken]) == "✗ 2006, (0, '')"


def test_broken_program_is_not_ticked() -> None:
    assert summarise([result("stock", Kind.PROGRAM_BROKEN)]).startswith("✗")


def test_cell_names_a_few_labels_and_says_that_there_are_more() -> None:
    many = result("stock", Kind.BROKEN, "1, 2, 3, 4")

    assert summarise([many]) == "✗ 1, 2, 3 …"


def test_table_has_a_row_for_each_scenario_and_a_column_for_each_arm() -> None:
    one, two = scenario("apscheduler"), scenario("rpc-loop")
    table = as_markdown(
        [
            result("stock", Kind.BROKEN, "2006", of=one),
            result("lifeline", Kind.SURVIVED, of=one),
            result("stock", Kind.BROKEN, "a|b", of=two),
            result("lifeline", Kind.SURVIVED, of=two),
        ],
        {"Django": "5.2"},
    )

    assert "| situation | Django | django-lifeline |" in table
    assert "| Apscheduler | ✗ 2006 | ✓ |" in table
    assert "| Rpc-Loop | ✗ a\\|b | ✓ |" in table
    assert "Django 5.2." in table
