"""When a statement may be repeated: the table of ``docs/explain`` as one pure function.

Decided from the phase in which the connection was lost, never from the error's number: 2006 and
2013 are what the client says in either case.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from django_lifeline.core.statement import Statement


class Label(enum.Enum):
    """What became of the work that was under way when a connection was lost."""

    NOT_EXECUTED = "not_executed"
    """It never reached the server."""
    ROLLED_BACK = "rolled_back"
    """Its transaction was not committed; the server undoes all of it."""
    COMMIT_UNKNOWN = "commit_unknown"
    """COMMIT was sent and no answer came."""
    UNKNOWN_EFFECT = "unknown_effect"
    """It was sent and may have run."""
    REPEATABLE_READ = "repeatable_read"
    """A plain read: whether it ran makes no difference."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The circumstances of one loss, as plain values."""

    sent: bool
    """Whether any of the statement may have reached the server."""
    in_transaction: bool
    """Whether a transaction was open."""
    first_in_transaction: bool
    """Whether the transaction had done nothing before this statement."""
    state_lost: bool
    """Whether the session held state that another connection does not have."""
    partly_stored: bool = False
    """Whether part of the transaction may have been committed, as DDL does implicitly."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of the statement and whether it may run again."""

    label: Label
    repeat: bool


def decide(statement: Statement, loss: Loss, *, retry_reads: bool) -> Decision:
    """Say what became of *statement* and whether to run it on another connection."""
    if loss.in_transaction and not loss.first_in_transaction:
        # Earlier work of the transaction is gone with its connection, and only the block's
        # author can run all of it again.
        committed = loss.partly_stored or (loss.sent and statement.may_commit)
        return Decision(Label.UNKNOWN_EFFECT if committed else Label.ROLLED_BACK, False)
    if loss.state_lost or statement.asks:
        # On another connection the statement would mean something else.
        return Decision(_fate(loss), False)
    if not loss.sent:
        return Decision(Label.NOT_EXECUTED, True)
    if statement.repeatable:
        return Decision(Label.REPEATABLE_READ, retry_reads)
    if loss.in_transaction and not statement.may_commit:
        # The server rolls it back, but a table without transactions keeps what it got.
        return Decision(Label.ROLLED_BACK, False)
    return Decision(Label.UNKNOWN_EFFECT, False)


def _fate(loss: Loss) -> Label:
    return Label.UNKNOWN_EFFECT if loss.sent else Label.NOT_EXECUTED
