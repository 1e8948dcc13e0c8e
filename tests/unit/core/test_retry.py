"""The rule of what may be repeated, row by row."""

from __future__ import annotations

import itertools

import pytest

from django_lifeline.core.retry import Decision, Label, Loss, decide
from django_lifeline.core.statement import Statement, statement_of

READ = statement_of("SELECT 1")
WRITE = statement_of("INSERT INTO t VALUES (1)")
LOCKING = statement_of("SELECT a FROM t FOR UPDATE")
DDL = statement_of("CREATE TABLE t (a INT)")
PREVIOUS = statement_of("SELECT LAST_INSERT_ID()")
COMMIT = statement_of("COMMIT")
CALL = statement_of("CALL p()")
ALL = [READ, WRITE, LOCKING, DDL, PREVIOUS, COMMIT, CALL]


def loss(
    *,
    sent: bool = False,
    transaction: str = "none",
    state_lost: bool = False,
    partly_stored: bool = False,
) -> Loss:
    """``transaction``: ``none``, ``fresh`` (has done nothing) or ``working``."""
    return Loss(
        sent=sent,
        in_transaction=transaction != "none",
        first_in_transaction=transaction == "fresh",
        state_lost=state_lost,
        partly_stored=partly_stored,
    )


@pytest.mark.parametrize("statement", [READ, WRITE, LOCKING, DDL, CALL])
@pytest.mark.parametrize("transaction", ["none", "fresh"])
def test_unsent_statement_is_repeated(statement: Statement, transaction: str) -> None:
    decision = decide(statement, loss(transaction=transaction), retry_reads=False)
    assert decision == Decision(Label.NOT_EXECUTED, True)


def test_plain_read_in_flight_is_repeated_where_allowed() -> None:
    assert decide(READ, loss(sent=True), retry_reads=True) == Decision(Label.REPEATABLE_READ, True)
    assert decide(READ, loss(sent=True), retry_reads=False).repeat is False


@pytest.mark.parametrize("statement", [WRITE, LOCKING, DDL, CALL])
def test_sent_statement_with_an_effect_is_of_unknown_effect(statement: Statement) -> None:
    decision = decide(statement, loss(sent=True), retry_reads=True)
    assert decision == Decision(Label.UNKNOWN_EFFECT, False)


@pytest.mark.parametrize("statement", [READ, WRITE, LOCKING])
@pytest.mark.parametrize("sent", [True, False])
def test_transaction_with_work_is_rolled_back(statement: Statement, sent: bool) -> None:
    decision = decide(statement, loss(sent=sent, transaction="working"), retry_reads=True)
    assert decision == Decision(Label.ROLLED_BACK, False)


def test_first_write_of_a_transaction_in_flight_is_rolled_back() -> None:
    decision = decide(WRITE, loss(sent=True, transaction="fresh"), retry_reads=True)
    assert decision == Decision(Label.ROLLED_BACK, False)


@pytest.mark.parametrize("statement", [COMMIT, DDL, CALL])
@pytest.mark.parametrize("transaction", ["fresh", "working"])
def test_sent_statement_that_may_commit_is_of_unknown_effect(
    statement: Statement, transaction: str
) -> None:
    decision = decide(statement, loss(sent=True, transaction=transaction), retry_reads=True)
    assert decision == Decision(Label.UNKNOWN_EFFECT, False)


@pytest.mark.parametrize("statement", ALL)
@pytest.mark.parametrize("sent", [True, False])
def test_partly_stored_transaction_is_never_called_rolled_back(
    statement: Statement, sent: bool
) -> None:
    lost = loss(sent=sent, transaction="working", partly_stored=True)
    assert decide(statement, lost, retry_reads=True) == Decision(Label.UNKNOWN_EFFECT, False)


@pytest.mark.parametrize("statement", [READ, WRITE])
def test_statement_of_a_session_with_state_is_not_moved_to_another(statement: Statement) -> None:
    unsent = decide(statement, loss(state_lost=True), retry_reads=True)
    assert unsent == Decision(Label.NOT_EXECUTED, False)
    sent = decide(statement, loss(sent=True, state_lost=True), retry_reads=True)
    assert sent == Decision(Label.UNKNOWN_EFFECT, False)


def test_question_about_the_previous_statement_is_not_put_to_another_session() -> None:
    assert decide(PREVIOUS, loss(), retry_reads=True) == Decision(Label.NOT_EXECUTED, False)


def test_nothing_but_a_plain_read_is_ever_repeated_after_it_was_sent() -> None:
    switches = itertools.product(
        ALL, ("none", "fresh", "working"), (True, False), (True, False), (True, False)
    )
    for statement, transaction, state_lost, partly_stored, retry_reads in switches:
        lost = loss(
            sent=True,
            transaction=transaction,
            state_lost=state_lost,
            partly_stored=partly_stored,
        )
        if decide(statement, lost, retry_reads=retry_reads).repeat:
            assert statement.repeatable and retry_reads and not state_lost
            assert transaction != "working"
