"""The traits by which the engine decides, for statements of each kind."""

from __future__ import annotations

import pytest

from django_lifeline.core import statement as module
from django_lifeline.core.effects import Asks, Boundary
from django_lifeline.core.statement import statement_of

TRAITS = (
    "repeatable",
    "plain",
    "reads_only",
    "sets",
    "pins",
    "opaque",
    "asks",
    "may_commit",
    "boundary",
    "shapes",
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
        ("SELECT stored_function()", "SELECT", "pins opaque may_commit"),
        ("SELECT LAST_INSERT_ID()", "SELECT", "plain asks"),
        ("SELECT /*! LAST_INSERT_ID(5) */", "SELECT", "plain asks"),
        ("INSERT INTO t VALUES (%s)", "INSERT", "plain"),
        ("SAVEPOINT a", "SAVEPOINT", "plain reads_only"),
        ("ROLLBACK TO SAVEPOINT a", "ROLLBACK", "plain reads_only"),
        ("SET sql_mode = 'ANSI'", "SET", "sets reads_only"),
        ("SET @x = 1", "SET", "pins"),
        ("SET TRANSACTION READ ONLY", "SET", "may_commit boundary shapes"),
        ("SET SESSION TRANSACTION READ ONLY", "SET", "sets reads_only shapes"),
        ("SET @@session.tx_isolation = 'SERIALIZABLE'", "SET", "sets reads_only shapes"),
        ("USE other", "USE", "sets reads_only"),
        ("BEGIN", "BEGIN", "may_commit boundary"),
        ("START TRANSACTION READ ONLY", "START", "may_commit boundary"),
        ("COMMIT", "COMMIT", "may_commit boundary"),
        ("ROLLBACK", "ROLLBACK", "may_commit boundary"),
        ("CREATE TABLE t (a INT)", "CREATE", "plain may_commit"),
        ("CREATE TEMPORARY TABLE t (a INT)", "CREATE", "pins"),
        ("LOCK TABLES t WRITE", "LOCK", "pins may_commit"),
        ("CALL p()", "CALL", "pins opaque may_commit"),
        ("SELECT 1; SELECT 2", "SELECT", "pins opaque may_commit"),
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


@pytest.mark.parametrize(
    ("sql", "boundary"),
    [
        ("BEGIN", Boundary.BEGINS),
        ("COMMIT RELEASE", Boundary.LEAVES),  # with the session, so the block cannot go on
        ("ROLLBACK AND NO CHAIN RELEASE", Boundary.LEAVES),
        ("START TRANSACTION READ ONLY", Boundary.BEGINS),
        ("COMMIT", Boundary.ENDS),
        ("ROLLBACK WORK", Boundary.ENDS),
        ("COMMIT AND NO CHAIN", Boundary.ENDS),
        ("COMMIT NO RELEASE", Boundary.ENDS),
        ("COMMIT AND CHAIN", Boundary.CHAINS),
        ("rollback work and chain", Boundary.CHAINS),
        ("COMMIT /*! AND CHAIN */", Boundary.CHAINS),
        ("SET TRANSACTION READ ONLY", Boundary.CHOOSES),
        ("SET autocommit = 0", Boundary.SWITCHES),
        ("SET @@session.autocommit = 1", Boundary.SWITCHES),
        ("ROLLBACK TO SAVEPOINT a", None),
        ("XA START 'a'", None),
    ],
)
def test_boundary_of_a_transaction_is_known_for_what_it_is(
    sql: str, boundary: Boundary | None
) -> None:
    assert statement_of(sql).boundary is boundary


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("USE ten1", ("use",)),
        ("SET NAMES utf8mb4", ("names",)),
        ("SET time_zone = 'SYSTEM'", ("time_zone",)),
        ("SET SESSION Time_Zone = 'SYSTEM', @@session.sql_mode = ''", ("time_zone", "sql_mode")),
        ("SET @@tx_isolation = 'SERIALIZABLE'", ()),
        ("SET SESSION tx_isolation = 'SERIALIZABLE'", ("transaction_isolation",)),
        ("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", ("transaction_isolation",)),
        (
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
            ("transaction_isolation", "transaction_read_only"),
        ),
        ("SET ROLE 'editor'", ("role",)),
        ("SET time_zone = 'Möhnesee'", ()),
        ("SET time_zone = @x", ()),
    ],
)
def test_what_a_statement_sets_is_known_by_name(sql: str, names: tuple[str, ...]) -> None:
    assert statement_of(sql).sets == names


@pytest.mark.parametrize(
    "comment", ["/*traceparent='00-{}'*/", " /* {} */ ;", "/* /* {} */", "\n/*{}*/\n"]
)
@pytest.mark.parametrize("kind", [str, str.encode])
def test_comment_at_the_end_makes_no_other_statement(comment: str, kind: type) -> None:
    statements = {id(statement_of(kind("SELECT 'x'" + comment.format(n)))) for n in range(5)}
    assert len(statements) == 1


def test_comment_that_servers_run_is_part_of_the_statement() -> None:
    assert statement_of("SELECT 1 /*! INTO @x */").pins


def test_statement_is_read_once() -> None:
    assert statement_of("SELECT 'read once'") is statement_of("SELECT 'read once'")


def test_memory_for_statements_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str | bytes, object] = {}
    monkeypatch.setattr(module, "known_statements", known)
    monkeypatch.setattr(module, "_CACHE_SIZE", 5)
    for number in range(50):
        statement_of(f"SELECT {number}")
        assert len(known) <= 5
        # The youngest stay: whatever comes again is not read anew because others never do.
        assert number < 4 or len(known) >= 4
    known.clear()
    statement_of("SELECT " + "1, " * 3000 + "1")
    assert known == {}


def test_question_in_a_comment_that_the_server_runs_is_the_question_it_is() -> None:
    plain, commented = ("SELECT LAST_INSERT_ID(5)", "SELECT /*!50000 LAST_INSERT_ID(5) */")
    assert statement_of(commented).asks is statement_of(plain).asks is Asks.ID


@pytest.mark.parametrize(
    ("sql", "asks"),
    [
        (
            "INSERT INTO `t` (`a`) VALUES (1) ON DUPLICATE KEY UPDATE `id` = LAST_INSERT_ID(`id`)",
            Asks.ID,
        ),
        ("SELECT ROW_COUNT() AS `rows`", Asks.OUTCOME),
        ("SELECT @@`warning_count`", Asks.OUTCOME | Asks.COMPLAINTS),
        ("SELECT @@session . `error_count`", Asks.OUTCOME | Asks.COMPLAINTS),
    ],
)
def test_name_in_backticks_asks_for_nothing_unless_it_is_a_variables(sql: str, asks: Asks) -> None:
    assert statement_of(sql).asks == asks


def test_comment_of_several_lines_is_not_cut_off_since_it_may_begin_in_another() -> None:
    assert statement_of("SELECT 1 # /*\n, GET_LOCK('a', 1) -- */").pins


@pytest.mark.parametrize("verb", ["SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT"])
def test_savepoint_of_another_name_is_no_other_statement(verb: str) -> None:
    """Django gives each a name of its own."""
    first = statement_of(f"{verb} `s139_x1`")
    known = len(module.known_statements)
    assert all(statement_of(f"{verb} `s139_x{number}`") is first for number in range(50))
    assert len(module.known_statements) == known
    assert statement_of(f"{verb} `s139_x1`; COMMIT") != first
