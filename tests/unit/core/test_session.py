"""The state of a session: its table of moves, what it is told, what it says. No server."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_lifeline.core.effects import LONG, Hides, Keeps
from django_lifeline.core.session import (
    MOST_SETTINGS,
    MOVES,
    IllegalMove,
    Move,
    Session,
    State,
    met,
)
from django_lifeline.core.statement import statement_of

OFF, ON = (False, False), (True, False)
"""Flags as PyMySQL shows them: autocommit, and whether a transaction is open."""


def told(*statements: str, flags: tuple[bool, bool | None] | None = None) -> Session:
    """A session that has run *statements*, each answered with *flags* if there are any."""
    session = Session()
    for sql in statements:
        run(session, sql, flags)
    return session


def run(session: Session, sql: str, flags: tuple[bool, bool | None] | None = None) -> None:
    session.ran(statement_of(sql), sql, sql.encode())
    if flags is not None:
        session.observe(*flags)


def begun() -> Session:
    session = Session()
    session.move(Move.BEGIN)
    return session


# The table


@pytest.mark.parametrize(("move", "state"), list(itertools.product(Move, State)))
def test_move_leads_where_the_table_says_or_is_refused(move: Move, state: State) -> None:
    session = Session()
    session.state = state
    if state in MOVES[move]:
        session.move(move)
        assert session.state is MOVES[move][state]
    else:
        with pytest.raises(IllegalMove):
            session.move(move)


def test_only_beginning_where_something_is_open_is_refused() -> None:
    refused = {(m, s) for m, s in itertools.product(Move, State) if s not in MOVES[m]}
    assert refused == {(Move.BEGIN, state) for state in State if state.open}


@pytest.mark.parametrize(("move", "state"), list(itertools.product(Move, State)))
def test_work_is_forgotten_exactly_where_a_transaction_ends(move: Move, state: State) -> None:
    if state not in MOVES[move]:
        return
    session = Session()
    session.state, session.work, session.wrote = state, 3, True
    session.move(move)
    ended = move in (Move.END, Move.CHAIN) or not session.state.open
    assert (session.work, session.wrote) == ((0, False) if ended else (3, True))


# What the server's flags say goes before the text


def test_flags_switch_autocommit_whatever_the_text_was() -> None:
    session = told("SELECT 1", flags=(False, None))
    assert session.state is State.OFF
    session.observe(True, None)
    assert session.state is State.AUTOCOMMIT


def test_session_that_only_a_flag_shows_to_be_open_is_not_clean() -> None:
    assert not told("SELECT 1", flags=(False, None)).clean


def test_flag_shows_a_transaction_that_no_text_told() -> None:
    assert told("SELECT 1", flags=(True, True)).state is State.MANUAL


def test_flag_shows_that_a_transaction_is_over() -> None:
    assert told("BEGIN", flags=(True, False)).state is State.AUTOCOMMIT


def test_block_that_the_server_ended_is_in_doubt_not_over() -> None:
    session = begun()
    session.observe(*ON)
    assert session.state is State.DOUBTFUL and session.in_transaction


def test_driver_that_shows_no_transactions_leaves_it_to_the_text() -> None:
    assert told("BEGIN", flags=(True, None)).state is State.MANUAL
    assert told("BEGIN", "COMMIT", flags=(True, None)).state is State.AUTOCOMMIT


# Transactions in SQL


@pytest.mark.parametrize(
    "end", ["COMMIT", "ROLLBACK", "COMMIT WORK AND NO CHAIN", "COMMIT NO RELEASE"]
)
def test_end_in_sql_ends_the_work(end: str) -> None:
    session = told("BEGIN", "INSERT INTO t VALUES (1)", end)
    assert session.state is State.AUTOCOMMIT and not session.wrote and session.work == 0


@pytest.mark.parametrize("chain", ["COMMIT AND CHAIN", "ROLLBACK WORK AND CHAIN"])
def test_chain_begins_the_next_at_once(chain: str) -> None:
    session = told("BEGIN", "INSERT INTO t VALUES (1)", chain)
    assert session.state is State.MANUAL and session.work == 0 and not session.wrote
    run(session, "INSERT INTO t VALUES (2)")
    assert session.wrote and not session.first_in_transaction


@pytest.mark.parametrize(
    "opaque", ["CALL p()", "SELECT 1; BEGIN", "SELECT stored()", "XA START 'a'"]
)
def test_code_that_cannot_be_read_may_have_begun_a_transaction(opaque: str) -> None:
    session = told(opaque)
    assert session.in_transaction and session.lost_with_it and not session.can_be_reset


def test_ddl_inside_a_transaction_stores_what_came_before() -> None:
    session = told("BEGIN", "INSERT INTO t VALUES (1)", "CREATE TABLE t (a INT)")
    assert session.partly_stored


def test_transaction_begun_in_sql_is_not_begun_anew_even_without_work() -> None:
    assert not told("BEGIN").first_in_transaction
    assert begun().first_in_transaction


def test_read_only_transaction_has_nothing_to_commit() -> None:
    session = begun()
    run(session, "SELECT a FROM t")
    run(session, "SAVEPOINT a")
    assert session.work == 2 and not session.wrote
    run(session, "SELECT a FROM t FOR UPDATE")
    assert session.wrote


def test_begin_inside_a_transaction_stores_what_came_before() -> None:
    session = told("BEGIN", "INSERT INTO t VALUES (1)", "BEGIN")
    assert session.partly_stored


def test_set_transaction_is_lost_with_its_session_until_the_transaction_has_ended() -> None:
    session = told("SET TRANSACTION READ ONLY", flags=(True, None))
    assert session.lost_with_it == "SET" and not session.clean
    session.move(Move.BEGIN)
    assert not session.first_in_transaction
    session.move(Move.END)
    assert session.lost_with_it == ""


BEGINNINGS = ("BEGIN", "START TRANSACTION READ ONLY", "START TRANSACTION WITH CONSISTENT SNAPSHOT")


@pytest.mark.parametrize("begins", BEGINNINGS)
@pytest.mark.parametrize("chained", ["", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"])
@pytest.mark.parametrize("off", [0, 1])
def test_transaction_begun_in_sql_is_its_authors_also_where_autocommit_is_off(
    begins: str, chained: str, off: int
) -> None:
    statements = [begins, *([chained] if chained else [])]
    statements.insert(off, "SET autocommit = 0")
    session = told()
    for number, sql in enumerate(statements):
        run(session, sql, (number < off, None))
    assert session.state is State.OFF
    assert not session.first_in_transaction and session.lost_with_it
    run(session, "COMMIT", (False, None))
    assert session.first_in_transaction and not session.lost_with_it


# Errors


def test_error_inside_a_block_leaves_it_in_doubt() -> None:
    session = begun()
    session.failed(statement_of("SELECT a FROM t FOR UPDATE"))
    assert session.state is State.DOUBTFUL
    assert session.work == 1, "a lock wait may have undone nothing"


def test_no_error_proves_that_the_work_before_it_is_undone() -> None:
    session = begun()
    run(session, "INSERT INTO t VALUES (1)")
    session.failed(statement_of("SELECT GET_LOCK('a')"))
    assert session.work == 2 and session.wrote
    assert session.state is State.DOUBTFUL


@pytest.mark.parametrize(
    "statement",
    [
        statement_of("UPDATE t SET a = %s").as_batch,
        statement_of("UPDATE t SET a = 1; UPDATE t SET b = no_such_column"),
        statement_of("CALL p()"),
        statement_of("INSERT INTO t VALUES (1)"),
    ],
)
def test_statement_that_failed_may_have_done_part_of_its_work(statement) -> None:
    session = begun()
    session.failed(statement)
    assert session.work and session.wrote


def test_other_error_leaves_the_work_of_the_transaction() -> None:
    session = begun()
    run(session, "INSERT INTO t VALUES (1)")
    session.failed(statement_of("INSERT INTO t VALUES (1)"))
    assert session.work == 2 and session.wrote


def test_ddl_that_failed_may_have_stored_what_came_before() -> None:
    session = begun()
    run(session, "INSERT INTO t VALUES (1)")
    session.failed(statement_of("CREATE TABLE t (a INT)"))
    assert session.partly_stored


def test_failed_statement_may_have_taken_its_lock() -> None:
    session = Session()
    session.failed(statement_of("SELECT GET_LOCK('a', 1), no_such_column"))
    assert session.lost_with_it and not session.clean


def test_failed_procedure_may_have_begun_a_transaction() -> None:
    session = Session()
    session.failed(statement_of("CALL p()"))
    assert session.in_transaction


def test_error_outside_a_transaction_leaves_the_session_clean() -> None:
    session = Session()
    session.failed(statement_of("SELECT no_such_column"))
    assert session.clean


def test_session_with_a_role_is_not_to_be_reset_since_the_server_keeps_it() -> None:
    session = Session()
    for sql in ("SET ROLE a", "SET time_zone = '+01:00'"):
        session.ran(statement_of(sql), sql, sql)
    assert not session.clean and not session.can_be_reset and not session.lost_with_it


# What was not seen


def test_unseen_commands_make_a_session_that_is_never_lent_on() -> None:
    session = Session()
    session.ran_unseen()
    session.observe(*ON)
    assert not session.clean and not session.can_be_reset


@pytest.mark.parametrize("state", State)
def test_unseen_commands_may_have_stored_what_was_open_and_what_follows(state: State) -> None:
    session = Session()
    session.state = state
    session.ran_unseen()
    assert session.in_transaction
    assert session.partly_stored


def test_unseen_commands_inside_a_block_may_have_ended_it() -> None:
    session = begun()
    session.ran_unseen()
    assert session.state is State.DOUBTFUL and session.wrote


# Settings


def sqls(session: Session) -> list[str]:
    return [setting.sql for setting in session.settings]


def test_last_value_of_each_variable_is_kept_in_the_order_of_their_last_setting() -> None:
    session = told(
        "SET time_zone = 'SYSTEM'",
        "USE ten1",
        "SET NAMES utf8mb4",
        "USE ten2",
        "SET time_zone = '+1:00'",
    )
    assert sqls(session) == ["SET NAMES utf8mb4", "USE ten2", "SET time_zone = '+1:00'"]


def test_statement_that_sets_more_is_kept_until_all_of_it_is_set_anew() -> None:
    session = told("SET time_zone = 'SYSTEM', sql_mode = ''", "SET time_zone = '+1:00'")
    assert len(session.settings) == 2
    run(session, "SET sql_mode = 'ANSI', time_zone = '+2:00'")
    assert sqls(session) == ["SET sql_mode = 'ANSI', time_zone = '+2:00'"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9)), max_size=60))
def test_settings_made_again_give_the_same_session(assignments: list[tuple[str, int]]) -> None:
    session = told(*(f"SET {name} = {value}" for name, value in assignments))
    again = dict(sql.removeprefix("SET ").split(" = ") for sql in sqls(session))
    assert again == {name: str(value) for name, value in assignments}


def test_settings_are_bounded_and_a_session_with_more_is_pinned() -> None:
    session = told(*(f"SET v{number} = 1" for number in range(MOST_SETTINGS + 1)))
    assert len(session.settings) == MOST_SETTINGS and session.pinned_by == "SET"


def test_text_that_means_another_thing_under_another_mode_pins() -> None:
    assert not told('SET time_zone = "SYSTEM"').pinned_by
    assert told("SET sql_mode = 'ANSI_QUOTES'", 'SET time_zone = "SYSTEM"').pinned_by == "SET"


def test_setting_with_parameters_is_kept_as_it_ran() -> None:
    session = Session()
    session.ran(
        statement_of("SET time_zone = %s"), "SET time_zone = %s", b"SET time_zone = 'SYSTEM'"
    )
    assert sqls(session) == ["SET time_zone = 'SYSTEM'"] and not session.pinned_by


@pytest.mark.parametrize(
    ("sql", "can_be_reset"),
    [
        ("SELECT GET_LOCK('a', 1)", True),
        ("SET @x = 1", True),
        ("LOCK TABLES t READ", True),
        ("CREATE TEMPORARY TABLE t (a INT)", True),
        ("PREPARE s FROM 'SELECT 1'", True),
        ("HANDLER t OPEN", True),
        ("CALL p()", False),
        ("SELECT f()", False),
        ("SET sql_mode = CONCAT(@@sql_mode)", False),
        ("SET @a = 1, ROLE writer", False),
    ],
)
def test_state_that_cannot_be_made_again_pins(sql: str, can_be_reset: bool) -> None:
    """What may be a role stays with a reset."""
    session = told(sql)
    session.observe(autocommit=True, open_=False)
    assert session.pinned_by and not session.clean and session.can_be_reset is can_be_reset


@pytest.mark.parametrize(
    ("sql", "hidden"),
    [
        ("INSERT INTO t VALUES (1)", (Hides.WRITES, Hides.ALL)),
        ("UPDATE t SET a = 1", (Hides.WRITES, Hides.ALL)),
        ("SELECT a FROM t", (Hides.ALL,)),
        ("SELECT 1", ()),
        ("SAVEPOINT s", ()),
        ("CALL p()", tuple(Hides)),
    ],
)
@pytest.mark.parametrize("hides", Hides)
@pytest.mark.parametrize("fails", [False, True])
def test_what_code_that_is_in_no_text_has_left_is_missed_until_it_runs_again(
    sql: str, hidden: tuple[Hides, ...], hides: Hides, fails: bool
) -> None:
    session, statement = Session(hides), statement_of(sql)
    if fails:
        session.failed(statement)
    else:
        session.ran(statement, sql, None)
    assert bool(session.missed & Keeps.HIDDEN) is (hides in hidden)
    assert session.clean is (hides not in hidden)
    if hides in hidden:
        missed = session.missed
        assert met(missed, statement_of("SELECT 2"), hidden=session.hidden) == (False, missed)
        assert met(missed, statement_of("SET sql_mode = CONCAT('')"), hidden=session.hidden)[0] is (
            False
        )
        assert met(missed, statement, hidden=session.hidden) == (True, Keeps.NOTHING)
        assert met(missed, statement, hidden=session.hidden | {"CALL q()"}) == (False, missed)
        also = missed | Keeps.VARIABLE
        assert met(also, statement, hidden=session.hidden) == (False, also)


def test_long_text_is_not_remembered() -> None:
    session = told(f"SELECT f('{'x' * LONG}')")
    assert session.hidden == {""} and session.missed & Keeps.HIDDEN


def test_more_hidden_code_than_is_remembered_is_not_taken_up() -> None:
    session = told(*(f"CALL p{n}()" for n in range(MOST_SETTINGS + 1)))
    assert len(session.hidden) == MOST_SETTINGS + 1 and "" in session.hidden


@pytest.mark.parametrize("sql", ["SELECT 1", "INSERT INTO t VALUES (1)", "CREATE TABLE t (a INT)"])
def test_statement_without_a_trace_leaves_the_session_clean(sql: str) -> None:
    assert told(sql).clean


@pytest.mark.parametrize("begin", ["", "BEGIN", "SET autocommit = 0"])
def test_session_that_leaves_loses_what_was_open_and_nothing_else(begin):
    session = Session()
    if begin == "BEGIN":
        session.ran(statement_of(begin), begin, None)
    elif begin:
        session.observe(autocommit=False, open_=None)
    session.ran(statement_of("COMMIT RELEASE"), "COMMIT RELEASE", None)
    assert session.in_transaction is bool(begin)


N, T, M, L, V = (
    Keeps.NOTHING,
    Keeps.TRANSACTION,
    Keeps.MODE,
    Keeps.LOCK,
    Keeps.VARIABLE,
)


@pytest.mark.parametrize(
    ("missed", "sql", "expected"),
    [
        (T, "INSERT INTO t VALUES (1)", (False, T)),
        (T, "SAVEPOINT a", (False, T)),
        (T, "ROLLBACK TO SAVEPOINT a", (False, T)),
        (T, "ROLLBACK", (True, N)),
        (T, "ROLLBACK AND CHAIN", (True, N)),
        (T, "START TRANSACTION READ ONLY", (True, N)),
        (T, "XA START 'x'", (True, N)),
        (T, "XA END 'x'", (False, T)),
        (T, "COMMIT", (False, N)),
        (T, "COMMIT AND CHAIN", (False, T)),
        (T, "SET autocommit = 1", (False, N)),
        (M, "ROLLBACK", (False, M)),
        (M, "START TRANSACTION", (False, M)),
        (M, "SET autocommit = 0", (True, N)),
        (M, "SET autocommit = 'OFF'", (False, M)),
        (M, "SET autocommit = 'ON'", (False, M)),
        (M, "SET autocommit = DEFAULT", (False, M)),
        (M, "SET @@session.autocommit = (1)", (False, M)),
        (M, "SET @@session.autocommit = OFF", (True, N)),
        (M, "SET autocommit = 1", (False, N)),
        (L, "SELECT 1", (False, L)),
        (L, "SELECT GET_LOCK('a', 1)", (True, N)),
        (L, "LOCK TABLES t READ", (True, N)),
        (L, "SELECT RELEASE_LOCK('a')", (False, L)),
        (L, "UNLOCK TABLES", (False, L)),
        (L | T, "ROLLBACK", (True, L)),
        (L | T, "SELECT GET_LOCK('a', 1)", (True, T)),
        (L | T, "COMMIT", (False, L)),
        (V, "SELECT @a := 1", (True, N)),
        (V, "SELECT @a := MAX(id) FROM t", (True, N)),
        (V | Keeps.TABLE, "SELECT @a := MAX(id) FROM t", (False, V | Keeps.TABLE)),
        (V | Keeps.TABLE, "SET @a = 1", (True, Keeps.TABLE)),
        (V, "SELECT @a", (False, V)),
        (V, "SELECT 1 INTO @a", (True, N)),
        (V, "SET time_zone = CONCAT('+05', ':00')", (False, V)),
        (Keeps.SETTING, "SET time_zone = CONCAT('+05', ':00')", (True, N)),
        (Keeps.SETTING, "SET autocommit = 0", (False, Keeps.SETTING)),
        (Keeps.SETTING, "SET TRANSACTION READ ONLY", (False, Keeps.SETTING)),
        (Keeps.TABLE, "DROP TEMPORARY TABLE IF EXISTS t", (False, Keeps.TABLE)),
        (Keeps.TABLE, "CREATE TEMPORARY TABLE t (a INT)", (True, N)),
        (Keeps.TABLE, "CREATE TABLE t (a INT)", (False, Keeps.TABLE)),
        (Keeps.HANDLER, "HANDLER t READ FIRST", (False, Keeps.HANDLER)),
        (Keeps.HANDLER, "HANDLER t CLOSE", (False, Keeps.HANDLER)),
        (Keeps.HANDLER, "HANDLER t OPEN", (True, N)),
        (Keeps.STATEMENT, "EXECUTE p", (False, Keeps.STATEMENT)),
        (Keeps.STATEMENT, "DEALLOCATE PREPARE p", (False, Keeps.STATEMENT)),
        (Keeps.STATEMENT, "PREPARE p FROM 'SELECT 1'", (True, N)),
        (Keeps.CHOICE, "SET TRANSACTION READ ONLY", (True, N)),
    ],
)
def test_who_misses_something_may_only_take_it_up(
    missed: Keeps, sql: str, expected: tuple[bool, Keeps]
) -> None:
    assert met(missed, statement_of(sql)) == expected


@pytest.mark.parametrize(
    ("statements", "missed"),
    [
        (["BEGIN", "INSERT INTO t VALUES (1)"], T),
        (["BEGIN", "COMMIT"], N),
        (["BEGIN", "COMMIT AND CHAIN"], T),
        (["SELECT GET_LOCK('a', 1)"], L),
        (["SELECT RELEASE_LOCK('a')", "DROP TEMPORARY TABLE t"], N),
        (["GET DIAGNOSTICS @n = ROW_COUNT"], V),
        (["CALL p()"], Keeps.HIDDEN),
        (["SELECT SQL_CALC_FOUND_ROWS 1"], N),
        (["SET TRANSACTION READ ONLY"], Keeps.CHOICE),
        (["SET time_zone = 'SYSTEM'"], N),
        (["SET @a = 1", "HANDLER t OPEN"], Keeps.VARIABLE | Keeps.HANDLER),
    ],
)
def test_session_says_what_its_author_would_go_on_without(
    statements: list[str], missed: Keeps
) -> None:
    assert told(*statements).missed == missed


def test_what_receivers_took_is_not_missed_for_they_take_it_again() -> None:
    session = told("SELECT GET_LOCK('a', 1)")
    session.arrange()
    assert not session.missed


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", (False, Keeps.FORGONE | Keeps.LOCK)),
        ("SET time_zone = '+05:00'", (True, Keeps.FORGONE | Keeps.LOCK)),
        ("SET sql_mode = ''", (False, Keeps.FORGONE | Keeps.LOCK)),
        ("SET time_zone = '+05:00', foreign_key_checks = 0", (True, Keeps.LOCK)),
        ("SET time_zone = @@global.time_zone", (True, Keeps.LOCK)),
    ],
)
def test_who_misses_settings_may_only_set_them(sql: str, expected: tuple[bool, Keeps]) -> None:
    missed, forgone = Keeps.FORGONE | Keeps.LOCK, frozenset({"time_zone", "foreign_key_checks"})
    assert met(missed, statement_of(sql), forgone) == expected
