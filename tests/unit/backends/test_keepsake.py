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
