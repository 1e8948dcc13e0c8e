"""The traits by which the engine decides, for statements of each kind."""

from __future__ import annotations

import pytest

from django_lifeline.core import statement as module
from django_lifeline.core.statement import statement_of

TRAITS = (
    "repeatable",
    "plain",
    "reads_only",
    "sets",
    "pins",
    "uses_previous",
    "may_commit",
    "ends_transaction",
    "chooses_transaction",
)


@pytest.mark.parametrize(
    ("sql", "keyword", "traits"),
    [
        ("SELECT 1", "SELECT", "repeatable plain reads_only"),
        ("(select a from t) union (select 2)", "SELECT", "repeatable plain reads_only"),
        ("SELECT a FROM t FOR UPDATE", "SELECT", "plain"),
        ("SELECT SLEEP(1)", "SELECT", "plain reads_only"),
        ("SELECT GET_LOCK('a', 1)", "SELECT", "pins"),
        ("SELECT @x := 1", "SELECT", "pins"),
        ("SELECT stored_function()", "SELECT", "pins may_commit"),
        ("SELECT LAST_INSERT_ID()", "SELECT", "plain uses_previous"),
        ("INSERT INTO t VALUES (%s)", "INSERT", "plain"),
        ("SAVEPOINT a", "SAVEPOINT", "plain reads_only"),
        ("ROLLBACK TO SAVEPOINT a", "ROLLBACK", "plain reads_only"),
        ("SET sql_mode = 'ANSI'", "SET", "sets reads_only"),
        ("SET @x = 1", "SET", "pins"),
        ("SET TRANSACTION READ ONLY", "SET", "may_commit chooses_transaction"),
        ("USE other", "USE", "sets reads_only"),
        ("BEGIN", "BEGIN", "may_commit"),
        ("START TRANSACTION READ ONLY", "START", "may_commit"),
        ("COMMIT", "COMMIT", "may_commit ends_transaction"),
        ("ROLLBACK", "ROLLBACK", "may_commit ends_transaction"),
        ("CREATE TABLE t (a INT)", "CREATE", "plain may_commit"),
        ("CREATE TEMPORARY TABLE t (a INT)", "CREATE", "pins"),
        ("LOCK TABLES t WRITE", "LOCK", "pins may_commit"),
        ("CALL p()", "CALL", "pins may_commit"),
        ("SELECT 1; SELECT 2", "SELECT", "pins may_commit"),
    ],
)
def test_statement_has_these_traits_and_no_others(sql: str, keyword: str, traits: str) -> None:
    statement = statement_of(sql)
    assert statement.keyword == keyword
    assert {name for name in TRAITS if getattr(statement, name)} == set(traits.split())
    assert statement_of(sql.encode()) == statement


def test_batch_is_not_repeatable_and_otherwise_the_same() -> None:
    single = statement_of("SELECT 1")
    batch = single.as_batch
    assert batch.batch and not batch.repeatable
    assert not single.batch and single.repeatable
    assert batch.keyword == single.keyword


def test_statement_is_read_once() -> None:
    assert statement_of("SELECT 'read once'") is statement_of("SELECT 'read once'")


def test_memory_for_statements_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str | bytes, object] = {}
    monkeypatch.setattr(module, "known_statements", known)
    monkeypatch.setattr(module, "_CACHE_SIZE", 5)
    for number in range(50):
        statement_of(f"SELECT {number}")
        assert len(known) <= 5
    known.clear()
    statement_of("SELECT " + "1, " * 3000 + "1")
    assert known == {}
