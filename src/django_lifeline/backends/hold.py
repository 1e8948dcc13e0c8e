"""What a wrapper holds between two statements: a lease, and how far it is still its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from sys import getrefcount
from typing import Any

from django_lifeline.backends.keepsake import Keepsake, Numbers
from django_lifeline.core.drivers.base import DriverConnection
from django_lifeline.core.pool import DirectPool, Lease, Pool
from django_lifeline.core.session import Session, Setting


class Hold:
    """One lease in a wrapper's hands.

    A new lease is a new `Hold`, so no flag survives from one connection to the next. What is known
    of the session itself is in the connection's `Session`.
    """

    __slots__ = (
        "__weakref__",
        "connection",
        "cursorclass",
        "foreign_complaints",
        "foreign_id",
        "keepsake",
        "lease",
        "numbers",
        "pid",
        "pool",
        "ran",
        "references",
        "resting",
        "returned",
        "seen",
        "set_up",
        "shown",
        "status",
        "used_at",
        "visible",
        "wanted",
    )

    def __init__(
        self,
        lease: Lease[DriverConnection],
        pool: Pool[DriverConnection] | DirectPool[DriverConnection],
        pid: int,
        now: float,
    ) -> None:
        self.lease = lease
        self.pool = pool
        """Where it is from, and goes back to."""
        self.connection = lease.connection
        self.pid = pid
        self.used_at = now
        self.resting = False
        """The pool may recall the connection: ask the lease before touching it."""
        self.returned = False
        """While it rests: it has been given back, and is only kept until somebody asks for it."""
        self.wanted = False
        """Since then a cursor was made, for which Django would have connected."""
        self.shown = False
        """The driver's object was shown to the application, which may keep it."""
        self.cursorclass = self.connection.cursorclass
        """What its cursors are while it rests, when somebody else may have set another."""
        self.set_up: list[Any] = []
        """What was set in it then that applications may change."""
        self.seen = self.connection.commands
        """How many of the connection's commands the engine knows of."""
        self.status = self.connection.status()
        """The server's flags as they were taken over last."""
        self.ran = False
        """Whether a statement ran since it was lent: then the last one is its holder's own."""
        self.foreign_id = self.connection.session.inserted
        """Whether ``LAST_INSERT_ID()`` would answer with a number of somebody else's."""
        self.numbers = Numbers()
        """What answers have shown since as numbers given: one of them may be the session's now."""
        self.foreign_complaints = self.connection.session.complained
        """Whether ``SHOW WARNINGS`` may answer with those of somebody else."""
        self.keepsake: Keepsake | None = None
        """What the last statement left to be asked for, in case the connection is recalled."""
        self.connection.last_id = self.connection.last_count = 0
        self.connection.lent_at = self.connection.commands
        self.visible = self.connection.visible
        """What the application gets: the driver's object, or what a tool put round it."""
        self.references = self._count_references()

    def begins_anew(self, last_id: int = 0, last_count: int = 0) -> None:
        """Let the driver's object tell its owner nothing of anybody else's last command.

        Instead it tells of his own one, if that was on another connection.
        """
        connection = self.connection
        connection.last_id, connection.last_count = last_id, last_count
        connection.lent_at = connection.commands

    def shows_no_id(self) -> None:
        """Take note of an answer that gives no number, which a transaction's ends are.

        After it mysqlclient's cursors show none until the next INSERT.
        """
        self.connection.last_id = 0
        if self.keepsake is not None:
            self.keepsake.shown_id = 0

    @contextmanager
    def beside(self) -> Iterator[None]:
        """What is run meanwhile is ours: the driver's object tells of its owner's last command."""
        told = self.connection.insert_id(), self.connection.affected_rows()
        yield
        self.begins_anew(*told)
        self.seen = self.connection.commands

    def show(self) -> None:
        """Take note that the application gets the driver's object, and how it is set up."""
        if not self.shown:
            self.set_up = self.connection.as_set_up()
            self.shown = True

    def begins(self) -> None:
        """Whatever was done with it until now is done with every new connection."""
        if self.lease.claim is None:  # else it rests, clean, and may be somebody else's by now
            self.session.arrange()
        self.cursorclass = self.connection.cursorclass
        if self.shown:
            self.set_up = self.connection.as_set_up()

    @property
    def session(self) -> Session:
        """What is known of the session."""
        return self.connection.session

    @property
    def settings(self) -> tuple[Setting, ...]:
        """What was set in the session, and would be set again on a replacement."""
        return self.connection.session.settings

    @property
    def is_private(self) -> bool:
        """Whether nobody but the engine refers to the driver's object, so that none can use it.

        For callers that have no variable of their own for it.
        """
        return not self.shown or self._count_references() <= self.references

    def wrapped_in(self, visible: Any) -> None:
        """Take note that a subclass of the engine has put something round the driver's object."""
        self.connection.visible = self.visible = visible
        self.references = self._count_references()

    def _count_references(self) -> int:
        return getrefcount(self.connection) + getrefcount(self.visible)

    @property
    def torn(self) -> bool:
        """Whether something broke into an answer: what is still to come of it must reach nobody.

        One that is merely unread is the driver's to go on with, also where its cursor is gone:
        PyMySQL reads the rest before the next command, mysqlclient's cursors do, or it refuses.
        """
        return self.connection.busy and self.connection.broken
