"""What a recalled session left to be asked for is answered as the session would have answered."""

from __future__ import annotations

from typing import Any

import pytest

from django_lifeline.backends.keepsake import Keepsake


class Holder:
    """Stands for a hold."""

    returned = False


WARNING, ERROR = ("Warning", 1265, "Data truncated"), ("Error", 1146, "No such table")
HOLDER = Holder()


@pytest.fixture
def keepsake() -> Keepsake:
    """One of a statement that changed three rows, with a warning and an error."""
    kept = Keepsake(HOLDER, 3, warned=True)  # type: ignore[arg-type]
    kept.warnings = [WARNING, ERROR]
    return kept


@pytest.mark.parametrize(
    ("question", "values"),
    [("SHOW WARNINGS", [*WARNING, *ERROR]), (" show errors ; ", [*ERROR])],
)
def test_rows_of_a_question_are_given(keepsake: Keepsake, question: str, values: Any) -> None:
    sql, given = keepsake.answer_to(question, None) or ("", None)
    assert given == values and "LIMIT" not in sql


@pytest.mark.parametrize("question", ["SHOW WARNINGS", "SHOW ERRORS"])
def test_question_without_an_answer_has_no_rows(keepsake: Keepsake, question: str) -> None:
    keepsake.warnings = []
    sql, _ = keepsake.answer_to(question, None) or ("", None)
    assert sql.endswith("LIMIT 0")


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("SHOW COUNT(*) WARNINGS", 2),
        ("SHOW COUNT ( * ) ERRORS;", 1),
        ("SELECT @@warning_count", 2),
        ("SELECT @@session.error_count", 1),
    ],
)
def test_number_of_them_is_given(keepsake: Keepsake, question: str, number: int) -> None:
    assert keepsake.answer_to(question, None) == (f"SELECT {number}", None)


@pytest.mark.parametrize(
    "question",
    ["SELECT FOUND_ROWS()", "SELECT ROW_COUNT(), found_rows ()", "GET DIAGNOSTICS @n = NUMBER"],
)
def test_what_was_not_kept_is_not_answered(keepsake: Keepsake, question: str) -> None:
    assert keepsake.answer_to(question, None) is None


@pytest.mark.parametrize(
    ("question", "filled_in"),
    [
        ("SELECT LAST_INSERT_ID(), row_count ();", "SELECT LAST_INSERT_ID(), (3);"),
        ("SELECT 'ROW_COUNT()', ROW_COUNT()", "SELECT 'ROW_COUNT()', (3)"),
        ('SELECT "a""b", ROW_COUNT()', 'SELECT "a""b", (3)'),
        ("SELECT `ROW_COUNT()`, ROW_COUNT()", "SELECT `ROW_COUNT()`, (3)"),
        ("/* ROW_COUNT() */ SELECT -ROW_COUNT()", "/* ROW_COUNT() */ SELECT -(3)"),
        ("SELECT ROW_COUNT() -- ROW_COUNT()", "SELECT (3) -- ROW_COUNT()"),
        ("SELECT ROW_COUNT() # ROW_COUNT()", "SELECT (3) # ROW_COUNT()"),
        ("SELECT 1--ROW_COUNT()", "SELECT 1--(3)"),
        ("SELECT 'it''s', ROW_COUNT()", "SELECT 'it''s', (3)"),
        (r"SELECT '\\', ROW_COUNT()", None),
        ("SELECT /*! ROW_COUNT() */ 1", None),
        ("SELECT 1; SELECT ROW_COUNT()", None),
        ("SELECT shop.ROW_COUNT(), 1", None),
        ("SELECT 'not ended, ROW_COUNT()", None),
    ],
)
@pytest.mark.parametrize("args", [None, (), ("x",)])
def test_numbers_are_filled_in_where_the_text_is_understood(
    keepsake: Keepsake, question: str, filled_in: str | None, args: Any
) -> None:
    expected = None if filled_in is None else (filled_in, args)
    assert keepsake.answer_to(question, args) == expected
