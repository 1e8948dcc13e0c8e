"""All behaviour of the engine, as a mixin over Django's own MySQL backend.

A wrapper borrows a connection when it first needs one. It asks before every statement whether
that connection still lives, and swaps a dead one where nothing can be lost by it. It gives the
connection back when Django, the application or a scope says that a piece of work is over.
Between statements outside a transaction its lease rests: the pool may recall it for a borrower
that would have to wait.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from django.conf import settings
from django.db import ProgrammingError
from django.db.backends.base.base import RAN_DB_VERSION_CHECK, BaseDatabaseWrapper
from django.utils.asyncio import async_unsafe
from django.utils.functional import cached_property

from django_lifeline.backends.assembly import clock
from django_lifeline.backends.creation import DatabaseCreation
from django_lifeline.backends.cursor import Cursor, CursorWrapper, djangos_is_untouched
from django_lifeline.backends.errors import ErrorWrapper
from django_lifeline.backends.transaction import Transactions
from django_lifeline.backends.validation import DatabaseValidation
from django_lifeline.core.events import Reason

_DJANGOS_ENSURE = BaseDatabaseWrapper.ensure_connection
"""Test tools that forbid the database put something else in its place."""


class LifelineMixin(Transactions):
    """Mix in front of a MySQL ``DatabaseWrapper`` to make it an engine of this package."""

    creation_class = DatabaseCreation
    validation_class = DatabaseValidation

    _ensuring = False
    """Django's ``ensure_connection`` is running, or what a test tool put in its place."""

    # What Django and applications see

    @property
    def connection(self) -> Any:
        """The driver's connection, or None.

        Whoever takes it may do anything with it at any time, so from now on the pool does not
        recall it until it is given back.
        """
        hold = self._hold
        if hold is not None and hold.pid != os.getpid():
            # It is the parent's; to this process it is as if closed.
            self._hold = hold = None
        if self._ensuring:
            # To ask whether there is one is not to take it.
            return None if hold is None else hold.connection
        # With CONN_MAX_AGE stock Django shows its connection between two requests too.
        if hold is None or hold.returned and self._is_obsolete():
            return None
        if hold.resting:
            if not hold.lease.resume():
                # Recalled for another borrower, which is nothing that the owner should notice.
                self._hold = None
                if hold.returned:
                    return None
                hold = self._take()
            hold.resting = hold.returned = False
        hold.exposed = True
        return hold.connection

    @connection.setter
    def connection(self, value: Any) -> None:
        if value is not None:
            raise AttributeError("A connection comes from the pool; it can only be set to None.")
        self._announce = True
        if self._hold is not None:
            self._let_go(self._hold)

    @cached_property
    def wrap_database_errors(self) -> ErrorWrapper:
        """Make Django's errors of the driver's, each with its diagnosis."""
        return ErrorWrapper(self)

    @cached_property
    def mysql_server_data(self) -> dict[str, Any]:
        """What Django asks of the server once for each wrapper; here once for each server."""
        target = self._find_target()
        if target.facts is None:
            with self.temporary_connection():
                pass
        assert target.facts is not None
        return target.facts.as_django_wants()

    def get_connection_params(self) -> dict[str, Any]:
        """Return the driver's parameters; autocommit is on, as Django would set it next."""
        params: dict[str, Any] = super().get_connection_params()
        params["autocommit"] = True
        params.setdefault("connect_timeout", 10)
        return params

    def _has_own_parameters(self) -> bool:
        ours = LifelineMixin.get_connection_params
        return type(self).get_connection_params is not ours

    @async_unsafe
    def connect(self) -> None:
        """Borrow a connection. Assume that none is held."""
        self.check_settings()
        self.health_check_enabled = self.settings_dict["CONN_HEALTH_CHECKS"]
        max_age = self.settings_dict["CONN_MAX_AGE"]
        self.close_at = None if max_age is None else clock.monotonic() + max_age
        self.health_check_done = True
        self.errors_occurred = False
        self.closed_in_transaction = False
        self.in_atomic_block = False
        self.savepoint_ids: list[str] = []
        self.atomic_blocks: list[Any] = []
        if self._announce:
            # Only for the first time and after a close(). Where a connection was lost, its
            # autocommit mode outlives it: who switched it off still counts on transactions.
            self.needs_rollback = False
            self.autocommit = self.settings_dict["AUTOCOMMIT"]
        self._take()
        if self.alias not in RAN_DB_VERSION_CHECK:
            self.check_database_version_supported()
            RAN_DB_VERSION_CHECK.add(self.alias)
        self.run_on_commit = []

    def ensure_connection(self) -> None:
        """Borrow a connection unless one is held.

        Always by way of Django's own method: test tools that forbid the database replace it.
        """
        if self._hold is not None and BaseDatabaseWrapper.ensure_connection is _DJANGOS_ENSURE:
            return
        if self._ensuring:
            # What took the place of Django's method calls this one back.
            if self._hold is None:
                with self.wrap_database_errors:
                    self.connect()
            return
        if self._hold is None:
            self._refuse_lost_work()
        if self._hold is None and self.in_atomic_block:
            # Django holds a connection throughout a block: this one's is gone.
            raise ProgrammingError("Cannot open a new connection in an atomic block.")
        self._ensuring = True
        try:
            super().ensure_connection()
        finally:
            self._ensuring = False

    @contextmanager
    def temporary_connection(self) -> Iterator[Any]:
        """Give a cursor, and give the connection back if none was held before."""
        held = self._hold is not None
        try:
            with self.cursor() as cursor:
                yield cursor
        finally:
            if not held:
                self.close()

    def _cursor(self, name: str | None = None) -> Any:
        """Return a cursor: Django's steps, without a call for each that has nothing to do."""
        if self.health_check_enabled:
            self.close_if_health_check_failed()
        if BaseDatabaseWrapper.ensure_connection is not _DJANGOS_ENSURE or self._hold is None:
            self.ensure_connection()
        if self._thread_ident != get_ident():
            self.validate_thread_sharing()
        cursor = self.create_cursor(name)
        if self.force_debug_cursor or settings.DEBUG:  # that is, if queries are logged
            return self.make_debug_cursor(cursor)
        return self.make_cursor(cursor)

    def create_cursor(self, name: str | None = None) -> CursorWrapper:
        """Return a cursor; the connection is checked when the cursor is used.

        Whether a thread runs an event loop is asked once for each cursor, by ``cursor()``.
        """
        hold = self._hold
        assert hold is not None
        connection = hold.connection
        return CursorWrapper(self, connection.cursorclass(connection))

    def make_cursor(self, cursor: Any) -> Any:
        """Return what the application gets for the engine's *cursor*."""
        return Cursor(cursor, self) if djangos_is_untouched() else super().make_cursor(cursor)

    def is_usable(self) -> bool:
        """Whether the held connection lives, as far as the kernel knows: no round trip."""
        hold = self._hold
        if hold is None or hold.pid != os.getpid():
            return False
        if hold.resting:
            if not hold.lease.resume():
                self._hold = None
                return False
            hold.resting = hold.returned = False
        if not hold.connection.alive():
            return False
        self._rest(hold)
        return True

    def close_if_health_check_failed(self) -> None:
        """Do what ``CONN_HEALTH_CHECKS`` asks for, though a probe precedes every statement."""
        hold = self._hold
        if hold is None or hold.returned or not self.health_check_enabled or self.health_check_done:
            return
        if not self.is_usable():
            self._end_unusable()
        self.health_check_done = True

    def close_if_unusable_or_obsolete(self) -> None:
        """Give the connection back: a request, a task or a piece of work begins or ends.

        Without a pool (``OPTIONS["pool"] = False``) ``CONN_MAX_AGE`` decides, as in Django.
        """
        hold = self._hold
        if hold is None:
            # A lost transaction, or its autocommit mode, is not the next piece of work's.
            if self._work_lost or self.autocommit != self.settings_dict["AUTOCOMMIT"]:
                self.close()
            return
        if hold.returned:  # and nothing was done since
            return
        self.health_check_done = False
        if self.autocommit != self.settings_dict["AUTOCOMMIT"]:
            # The application did not restore autocommit: don't take chances with its session.
            self.close()
        elif self.errors_occurred and not self._recovers_from_errors():
            self._end_unusable()
        elif self._target is not None and self._target.pooled:
            if not hold.resting:
                # Whoever asked for the driver's object had until now to use it.
                hold.exposed = False
                self._rest(hold)
            if hold.resting and self._target.pool.leave(hold.lease):
                hold.returned = True
            else:
                self._give_back(hold)
        elif self._is_obsolete():
            self.close()

    def _recovers_from_errors(self) -> bool:
        """After database errors, whether the connection lives on all the same."""
        if not self.is_usable():
            return False
        self.errors_occurred = False
        self.health_check_done = True
        return True

    def _end_unusable(self) -> None:
        """Close a connection that failed its check, so that the pool does not lend it on."""
        if self._hold is not None and not self.in_atomic_block:
            self._drop(self._hold, Reason.DEAD)
        self.close()

    def _is_obsolete(self) -> bool:
        return self.close_at is not None and clock.monotonic() >= self.close_at

    @async_unsafe
    def close(self) -> None:
        """Give the connection back; inside ``atomic`` its transaction is rolled back."""
        self.validate_thread_sharing()
        self.run_on_commit = []
        self._announce = True
        if not self.in_atomic_block:
            self._work_lost = False
        # The settings may be about to change, as when a test database takes the place of another.
        if self._hold is None:
            self._target = None
        if self.closed_in_transaction or self._hold is None:
            return
        self._close()
        if self.in_atomic_block:
            self.closed_in_transaction = True
            self.needs_rollback = True
        self._target = None

    def _close(self) -> None:
        if self._hold is not None:
            self._let_go(self._hold)
