"""What a wrapper holds between two statements, and what it did to the session it holds."""

from __future__ import annotations

import weakref
from typing import Any

from django_lifeline.core.drivers.base import DriverConnection
from django_lifeline.core.pool import Lease
from django_lifeline.core.session import Effect, effect_of
from django_lifeline.core.statement import Statement


class Hold:
    """One lease in a wrapper's hands, with the state of its session.

    A new lease is a new `Hold`, so no flag survives from one connection to the next.
    """

    __slots__ = (
        "began",
        "clean",
        "connection",
        "exposed",
        "in_transaction",
        "lease",
        "manual",
        "partly_stored",
        "pid",
        "pinned_by",
        "reader",
        "resting",
        "returned",
        "server_autocommit",
        "settings",
        "used_at",
        "work",
        "wrote",
    )

    def __init__(self, lease: Lease[DriverConnection], pid: int, now: float) -> None:
        self.lease = lease
        self.connection = lease.connection
        self.pid = pid
        self.used_at = now
        self.resting = False
        """The pool may recall the connection: ask the lease before touching it."""
        self.returned = False
        """While it rests: it has been given back, and is only kept until somebody asks for it."""
        self.clean = True
        """No trace in the session, so that the pool may lend it on as it is."""
        self.exposed = False
        """The driver's object was given out, so that the pool must not recall it."""
        self.reader: weakref.ref[Any] | None = None
        """The driver's cursor that reads a result row by row, while the connection is busy."""
        self.settings: tuple[str, ...] = ()
        """Literal SET statements that ran, to be repeated on a replacement."""
        self.pinned_by = ""
        """The statement that left state no other connection has; empty when there is none."""
        self.server_autocommit = True
        self.began = False
        """START TRANSACTION was sent and neither COMMIT nor ROLLBACK since."""
        self.manual = False
        """The application began a transaction in SQL, behind Django's back."""
        self.in_transaction = False
        """Any of the three: the server has a transaction open, or may have."""
        self.work = 0
        """Statements that ran in the open transaction."""
        self.wrote = False
        """Whether one of them may have changed data."""
        self.partly_stored = False
        """Whether one of them may have committed, as DDL does, what came before it."""

    def note(self, statement: Statement, sql: str | bytes, cursor: Any = None) -> None:
        """Record what a statement that ran has left behind; *cursor* is the driver's."""
        if self.in_transaction and statement.may_commit and not statement.chooses_transaction:
            self.partly_stored = True
        if not statement.plain:
            self._note_trace(statement, sql, cursor)
        if self.in_transaction:
            self.work += 1
            self.wrote = self.wrote or not statement.reads_only

    def note_failure(self, statement: Statement) -> None:
        """Record what a statement may have left behind that ended in an error of the server.

        A procedure may have set variables before it failed, and DDL commits before it starts.
        """
        if self.in_transaction and statement.may_commit and not statement.chooses_transaction:
            self.partly_stored = True
        if not statement.plain:
            self.clean = False
            if statement.pins:
                self.pinned_by = statement.keyword

    def _note_trace(self, statement: Statement, sql: str | bytes, cursor: Any) -> None:
        self.clean = False
        if statement.sets:
            text = sql if isinstance(sql, str) else sql.decode("utf-8", "replace")
            self.settings += (text,)
        elif setting := _with_parameters(statement, cursor):
            self.settings += (setting,)
        elif statement.pins:
            self.pinned_by = statement.keyword
        else:
            self._set_transaction(manual=not statement.ends_transaction)

    def begun(self) -> None:
        """Record that START TRANSACTION was acknowledged."""
        self._set_transaction(began=True)

    def autocommit_is(self, enabled: bool) -> None:
        """Record the session's autocommit mode; enabling it ends what was open."""
        self.server_autocommit = enabled
        if enabled:
            self.transaction_over()
        else:
            self._set_transaction(began=False)

    def transaction_over(self) -> None:
        """Record that COMMIT or ROLLBACK was acknowledged."""
        self.work = 0
        self.wrote = self.partly_stored = False
        self._set_transaction(began=False, manual=False)

    def starts_anew(self) -> None:
        """Take the session's present state for the one every borrower expects."""
        self.clean, self.exposed = True, False
        self.settings, self.pinned_by = (), ""

    def reads_on(self, cursor: Any) -> None:
        """Record that *cursor* goes on reading a result, or has read it all (None)."""
        self.reader = None if cursor is None else weakref.ref(cursor)

    @property
    def is_being_read(self) -> bool:
        """Whether somebody still can read the rest of the answer that keeps it busy."""
        cursor = self.reader() if self.reader is not None else None
        return cursor is not None and cursor.connection is not None

    def _set_transaction(self, *, began: bool | None = None, manual: bool | None = None) -> None:
        if began is not None:
            self.began = began
        if manual is not None:
            self.manual = manual
        self.in_transaction = self.began or self.manual or not self.server_autocommit
        if not self.in_transaction:
            self.work = 0
            self.wrote = self.partly_stored = False


def _with_parameters(statement: Statement, cursor: Any) -> str:
    """Return the text that ran, if the driver made literal settings of it, else nothing."""
    if statement.keyword != "SET" or statement.batch:
        return ""
    ran = getattr(cursor, "_executed", None) or ""
    text = ran if isinstance(ran, str) else ran.decode("latin-1")
    # Other letters may have been encoded in another way than they would be the next time.
    return text if text.isascii() and effect_of(text) is Effect.SETS else ""
