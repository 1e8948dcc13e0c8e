"""What a wrapper holds between two statements, and what it did to the session it holds."""

from __future__ import annotations

from django_lifeline.core.drivers.base import DriverConnection
from django_lifeline.core.pool import Lease
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
        "lease",
        "manual",
        "pid",
        "pinned_by",
        "resting",
        "server_autocommit",
        "settings",
        "streaming",
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
        self.clean = True
        """No trace in the session, so that the pool may lend it on as it is."""
        self.exposed = False
        """The driver's object was given out, so that the pool must not recall it."""
        self.streaming = False
        """A result is being read row by row; the connection is busy with it, not broken."""
        self.settings: list[str] = []
        """Literal SET statements that ran, to be repeated on a replacement."""
        self.pinned_by = ""
        """The statement that left state no other connection has; empty when there is none."""
        self.manual = False
        """The application began a transaction in SQL, behind Django's back."""
        self.server_autocommit = True
        self.began = False
        """START TRANSACTION was sent and neither COMMIT nor ROLLBACK since."""
        self.work = 0
        """Statements that ran in the open transaction."""
        self.wrote = False
        """Whether one of them may have changed data."""

    @property
    def in_transaction(self) -> bool:
        """Whether the server has a transaction open for this session, or may have."""
        return self.began or self.manual or not self.server_autocommit

    def note(self, statement: Statement, sql: str | bytes) -> None:
        """Record what a statement that ran has left behind."""
        if not statement.plain:
            self._note_trace(statement, sql)
        if self.in_transaction:
            self.work += 1
            self.wrote = self.wrote or not statement.reads_only

    def _note_trace(self, statement: Statement, sql: str | bytes) -> None:
        self.clean = False
        if statement.sets:
            self.settings.append(sql if isinstance(sql, str) else sql.decode("utf-8", "replace"))
        elif statement.pins:
            self.pinned_by = statement.keyword
        elif statement.ends_transaction:
            self.manual = False
        else:
            self.manual = True

    def transaction_over(self) -> None:
        """Record that COMMIT or ROLLBACK was acknowledged."""
        self.began = False
        self.manual = False
        self.work = 0
        self.wrote = False

    @property
    def may_rest(self) -> bool:
        """Whether another borrower could use the connection now and both would never know."""
        return (
            self.clean
            and self.server_autocommit
            and not (self.began or self.exposed or self.connection.busy)
        )
