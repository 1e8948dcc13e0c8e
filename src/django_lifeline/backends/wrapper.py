"""All behaviour of the engine, as a mixin over Django's own MySQL backend.

A wrapper borrows a connection when it first needs one. It asks before every statement whether
that connection still lives, and swaps a dead one where nothing can be lost by it. It gives the
connection back when Django, the application or a scope says that a piece of work is over.
Between statements outside a transaction its lease rests: the pool may recall it for a borrower
that would have to wait.
"""

from __future__ import annotations

import os
import threading
from asyncio import _get_running_loop
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper, debug_transaction
from django.db.backends.signals import connection_created
from django.utils.asyncio import async_unsafe
from django.utils.functional import cached_property

from django_lifeline.backends.assembly import clock, targets
from django_lifeline.backends.client import DatabaseClient
from django_lifeline.backends.creation import DatabaseCreation
from django_lifeline.backends.credentials import params_to_connect
from django_lifeline.backends.cursor import (
    OWN_CURSORS,
    AttachingWrapper,
    Cursor,
    CursorWrapper,
    as_people_made_it,
    djangos,
)
from django_lifeline.backends.errors import ErrorWrapper
from django_lifeline.backends.hold import Hold
from django_lifeline.backends.hooks import Shortcut
from django_lifeline.backends.transaction import Transactions
from django_lifeline.backends.validation import DatabaseValidation
from django_lifeline.core.drivers.base import DriverConnection
from django_lifeline.core.events import Reason
from django_lifeline.core.pool import Pool
from django_lifeline.core.session import State
from django_lifeline.core.statement import statement_of
from django_lifeline.exceptions import ConnectionLost, PoolTimeout

_TO_A_CURSOR = Shortcut(
    "_cursor",
    "cursor",
    "_prepare_cursor",
    "close_if_health_check_failed",
    "create_cursor",
    "ensure_connection",
    "make_cursor",
    "queries_logged",
    "validate_no_broken_transaction",
    "validate_thread_sharing",
    properties=("allow_thread_sharing", "wrap_database_errors"),
)
# Also past the next connecting, where the connection is kept until somebody asks for it.
_TO_THE_END = Shortcut(
    "_close",
    "close",
    "close_if_unusable_or_obsolete",
    "connect",
    "ensure_connection",
    "get_autocommit",
    "get_connection_params",
    "get_new_connection",
    "init_connection_state",
    "is_usable",
    "validate_thread_sharing",
    properties=("allow_thread_sharing", "wrap_database_errors"),
)
_PLAIN = statement_of("SELECT 1")
_monotonic = clock.monotonic
_BEGUN_BY_US = (State.BEGUN, State.DOUBTFUL)

_lent_without: WeakKeyDictionary[DriverConnection, Any] = WeakKeyDictionary()
"""Connections round which a subclass puts something, and what was round each when it was lent."""

WARM = 0.01
"""A connection that answered in the last so many seconds is there; a statement looks again."""


class LifelineMixin(Transactions):
    """Mix in front of a MySQL ``DatabaseWrapper`` to make it an engine of this package."""

    client_class = DatabaseClient
    creation_class = DatabaseCreation
    validation_class = DatabaseValidation

    _ensuring = False
    """Django's ``ensure_connection`` is running, or what a test tool put in its place."""
    _making_a_cursor = False
    """Django's ``_cursor`` is running: a connection that is refused is not asked for."""
    _announcing = False
    """What somebody put in the place of a method of Django's is running; Django's does nothing."""
    _goes_straight_to_a_cursor: bool
    """Whether the class leaves alone what the engine's short way to a cursor skips."""
    _goes_straight_to_the_end: bool
    _shortcuts = {
        "_goes_straight_to_a_cursor": _TO_A_CURSOR,
        "_goes_straight_to_the_end": _TO_THE_END,
    }

    # What Django and applications see

    @property
    def connection(self) -> Any:
        """The driver's connection, or None.

        Whoever takes it may do anything with it for as long as he keeps it. Until then the pool
        does not recall it, and what was done with it does not reach the next borrower.
        """
        if self._conducting:
            return self._conductor
        if self._announcing:
            return None
        hold = self._hold
        if hold is not None and hold.pid != os.getpid():
            # It is the parent's; to this process it is as if closed.
            self._hold = hold = None
        if self._ensuring:
            # To ask whether there is one is not to take it.
            return self._dead() if hold is None else hold.visible
        if hold is None:
            return self._dead()
        # With CONN_MAX_AGE stock Django shows its connection between two requests too.
        kept = hold.returned and not hold.wanted
        if kept and self._is_obsolete():
            return None
        if hold.resting:
            if kept and not hold.lease.resume():
                # Recalled for another borrower, which is nothing that the owner should notice.
                self._hold = None
                return None
            with self.wrap_database_errors:
                hold = self._resume(hold, _PLAIN)
        elif hold.session.state in _BEGUN_BY_US and self._lives(hold):
            # What he does may end the transaction, and he counts on stock's: autocommit off.
            with self.wrap_database_errors, hold.beside():
                hold = self._use_stock_transaction(hold, _PLAIN)
        with self.wrap_database_errors:
            self._make_its_own(hold)
        hold.show()
        return hold.visible

    @connection.setter
    def connection(self, value: Any) -> None:
        if value is not None:
            lent = self._lent
            before = None if lent is None else lent.connection.visible
            connection = self._accept(value).connection
            mine = lent is not None and lent.connection is connection
            if mine and connection.visible is not before:
                _lent_without.setdefault(connection, None if before is connection else before)
            return
        self._closed, self._owed, self._gone = True, (), None
        self._forgone, self._untaken = (), None
        if self._hold is not None:
            self._let_go(self._hold)

    def _dead(self) -> Any:
        """Return the driver's connection that has ended, where stock Django would hold on to it.

        It says so itself to whoever looks at it before he closes it.
        """
        gone = self._gone
        if gone is None or not (self.in_atomic_block or self._refuses):
            return None
        return gone.visible

    @cached_property
    def wrap_database_errors(self) -> ErrorWrapper:
        """Make Django's errors of the driver's, each with its diagnosis."""
        return ErrorWrapper(self)

    @cached_property
    def mysql_server_data(self) -> dict[str, Any]:
        """What Django asks of the server; here it is known of each connection."""
        return self.server_facts.as_django_wants()

    def get_connection_params(self) -> dict[str, Any]:
        """Return the driver's parameters, made by Django; our options are none of them."""
        params: dict[str, Any] = super().get_connection_params()
        params.pop("pool", None)
        params.pop("lifeline", None)
        return params

    def params_to_connect(self) -> dict[str, Any]:
        """Return the driver's parameters with the credentials of this moment.

        For those who connect without the pool.
        """
        return params_to_connect(self)

    def params_of_settings(self) -> dict[str, Any]:
        """Return the driver's parameters as the settings give them, with no password or token.

        Django's method chooses the isolation level besides, where a subclass may have its own.
        """
        chosen = self.__dict__.get("isolation_level")
        params = super().params_of_settings()
        if chosen is not None:
            self.isolation_level = chosen
        return params

    def get_new_connection(self, conn_params: Mapping[str, Any]) -> Any:
        """Lend a connection, without what a subclass put round it for an earlier borrower.

        Raises the pool's errors, and the driver's.
        """
        visible = super().get_new_connection(conn_params)
        lent = self._lent
        if _lent_without and lent is not None and lent.connection in _lent_without:
            connection: Any = lent.connection
            connection._proxy = _lent_without[connection]
            return connection.visible
        return visible

    @async_unsafe
    def connect(self) -> None:
        """Borrow a connection, by Django's own steps; `get_new_connection` is where it is lent."""
        missed, self._missed = self._missed, None
        try:
            self._connecting = True
            super().connect()
        except BaseException as error:
            self._missed = missed
            self._setting_up_failed(error)
            raise
        finally:
            self._connecting = False
        self._closed = self._work_lost = False
        self._owed = ()
        if self._hold is not None:
            self._hold.begins()
            self._rest(self._hold)

    def init_connection_state(self) -> None:
        """Do what Django does on a new connection; its assignments were made when it was opened."""
        if self._connecting and "init_connection_state" not in self._covered:
            BaseDatabaseWrapper.init_connection_state(self)
        else:
            super().init_connection_state()

    def ensure_connection(self) -> None:
        """Borrow a connection unless a living one is held.

        Always by way of Django's own method: test tools that forbid the database replace it.
        Raises ``ConnectionLost`` when the held one died with something that cannot be made again.
        """
        if self._making_a_cursor and self._refuses:
            return  # what it runs is refused, not the cursor
        replaced = "ensure_connection" in self._covered
        if self._winding_up and not replaced:
            with self.wrap_database_errors:
                self.wind_up()
            return
        hold = self._hold
        if not replaced and hold is not None:
            if self._is_foreign_here():
                return  # and left alone: the next check says that this thread may not use it
            with self.wrap_database_errors:
                self._go_on(partial(self._living, _PLAIN))
            return
        if self._ensuring:
            # What took the place of Django's method calls this one back.
            if self._hold is None:
                with self.wrap_database_errors:
                    self.connect()
            return
        if self._hold is None:
            if self._stays_closed() and not replaced:
                return
            if not self._closed and not replaced:
                with self.wrap_database_errors:
                    self._go_on(self._take)
                return
        missed = None if self._closed else self._missed
        try:
            self._ensuring = True
            super().ensure_connection()
        finally:
            self._ensuring = False
            self._missed = missed

    def get_autocommit(self) -> bool:
        """Return Django's flag.

        It is known without the server, also where a block has lost its connection, or one died
        after its block was stored: only where stock Django has none yet is one opened.
        """
        # Of lost work it is told here, too: Django would begin a block in the midst of it, fail
        # at its savepoint, and take itself to be in a block for ever. With autocommit off it
        # begins by that savepoint, and counts on the connection that it asked here.
        at_hand = self._hold is not None or self.autocommit
        known = self.in_atomic_block or at_hand and not self._closed
        if known and not (self._winding_up or self._is_hooked("ensure_connection")):
            if self._hold is not None:
                self._hold.wanted = True  # with stock Django there is one from here on
            return bool(self.autocommit)
        return bool(super().get_autocommit())

    def _go_on(self, take: Callable[[], Hold]) -> None:
        """Have a connection, perhaps in the place of one that was lost, for nobody knows what."""
        try:
            hold = take()
            if not self._beginning:
                self._rest(hold)
        except BaseException:
            # What was set before a lost block is there when it runs again.
            if not self._work_lost and self._missed is None:
                self._forgo()
            raise

    def _stays_closed(self) -> bool:
        """Whether Django keeps the connection that was closed: it does until the block ends."""
        if not self.closed_in_transaction:
            self._refuse_lost_work()
            if self.in_atomic_block:
                self._refuse_in_block()
        return self.in_atomic_block

    def _is_foreign_here(self) -> bool:
        return self._thread_ident != threading.get_ident() and not self.allow_thread_sharing

    def inc_thread_sharing(self) -> None:
        """Let other threads use this wrapper, also after the one that made it has ended."""
        super().inc_thread_sharing()
        self._share()

    def temporary_connection(self) -> AbstractContextManager[Any]:
        """Give a cursor, and give the connection back if none was held before."""
        if "temporary_connection" in self._covered:
            djangos: AbstractContextManager[Any] = super().temporary_connection()
            return djangos
        return self._temporary_connection()

    @contextmanager
    def _temporary_connection(self) -> Iterator[Any]:
        held = self._hold is not None or not self._closed
        try:
            with self.cursor() as cursor:
                yield cursor
        finally:
            if not held:
                self.close()

    def cursor(self) -> Any:
        """Return a cursor; raises ``SynchronousOnlyOperation`` in a coroutine, as Django does."""
        # Django finds out by an exception that there is no event loop.
        if (
            self._goes_straight_to_a_cursor
            and _get_running_loop() is None
            and _TO_A_CURSOR.is_open(self)
        ):
            return self._straight_to_a_cursor()
        return super().cursor()

    def _cursor(self, name: str | None = None) -> Any:
        if self._goes_straight_to_a_cursor and _TO_A_CURSOR.is_open(self):
            return self._straight_to_a_cursor()
        try:
            self._making_a_cursor = True
            return super()._cursor(name)
        finally:
            self._making_a_cursor = False

    def _straight_to_a_cursor(self) -> Any:
        """Return a cursor: Django's steps, without a call for each that has nothing to do."""
        if self.health_check_enabled:
            self.close_if_health_check_failed()
        hold = self._hold
        if hold is None or _monotonic() - hold.used_at > WARM:
            self._connect_for_a_cursor()
        if self._thread_ident != threading.get_ident():
            with self.wrap_database_errors:
                self.validate_thread_sharing()
            self._share()
        hold = self._hold
        if (
            hold is not None
            and hold.visible is hold.connection
            and (kind := (hold if hold.resting else hold.connection).cursorclass) in OWN_CURSORS
        ):
            # `_new_cursor`, in place for the sake of the common case.
            hold.wanted = True
            below = kind(hold.connection)
            below.connection = None
            cursor = as_people_made_it(CursorWrapper(self, below))
        else:
            cursor = self._new_cursor()
        if self.force_debug_cursor or settings.DEBUG:  # that is, if queries are logged
            return self.make_debug_cursor(cursor)
        return Cursor(cursor, self) if djangos.is_untouched() else self.make_cursor(cursor)

    def _connect_for_a_cursor(self) -> None:
        """Borrow a connection. Where none can be had in a lost one's place, its statement says so.

        Only that tells what is not to be made again (see `_forgo`), or whether it is refused. And
        whoever makes a cursor to leave his block with must be able to leave it.
        """
        self._untaken, self._forgone = None, ()
        if self._refuses or self.needs_rollback and self._hold is not None:
            return
        try:
            self.ensure_connection()
        except PoolTimeout:
            raise
        except Error as error:
            if not self._forgone or isinstance(error, ConnectionLost) or self.in_atomic_block:
                raise
            if "cursorclass" in self.settings_dict["OPTIONS"]:
                raise  # which may want to ask its connection something
            self._untaken, self._owed, self._missed = error, self._forgone, None

    def _prepare_cursor(self, cursor: Any) -> Any:
        prepared = super()._prepare_cursor(self._watched(cursor))
        if self._thread_ident != threading.get_ident():
            self._share()
        return prepared

    @async_unsafe
    def create_cursor(self, name: str | None = None) -> Any:
        """Return a cursor; the connection is checked when the cursor is used."""
        if "create_cursor" in self._covered:
            return self._conduct(super().create_cursor, name)
        return self._new_cursor()

    def _new_cursor(self) -> Any:
        return as_people_made_it(self._own_cursor())

    def _own_cursor(self) -> CursorWrapper:
        if self._untaken is not None or self._hold is None and self._refuses:
            return CursorWrapper.unconnected(self)
        hold = self._hold or (self._gone if self.in_atomic_block else None)
        if hold is None:
            self._refuse_in_block()
        cursor = self.driver_cursor(hold)
        cursor.connection = None
        if type(cursor) in OWN_CURSORS:
            return CursorWrapper(self, cursor)
        return AttachingWrapper(self, cursor)

    def driver_cursor(self, hold: Hold) -> Any:
        """Return a cursor of the driver, with what monitoring tools put round it."""
        connection = hold.connection
        if hold.visible is connection:
            return (hold if hold.resting else connection).cursorclass(connection)
        return hold.visible.cursor()

    def _watched(self, cursor: Any) -> Any:
        """Return *cursor*, which a subclass may have made, so that we see what it runs."""
        if type(cursor) is CursorWrapper:
            return cursor
        below = cursor
        while below is not None and not callable(below):
            if isinstance(below, CursorWrapper):
                return cursor
            below = getattr(below, "cursor", None)
        return AttachingWrapper.over(self, cursor)

    def holds(self, connection: DriverConnection) -> Hold | None:
        """Return the hold of *connection*, None where it is not this wrapper's any more."""
        hold = self._hold
        mine = hold is not None and hold.connection is connection and hold.pid == os.getpid()
        return hold if mine else None

    def left_unread(self) -> Hold | None:
        """Return what is held if an answer of its own waits there to be read; else None."""
        hold = self._hold
        # While it rests somebody else may be reading.
        if hold is None or hold.resting or hold.pid != os.getpid():
            return None
        return hold if hold.connection.busy and not hold.torn else None

    @contextmanager
    def held_for_a_moment(self) -> Iterator[Hold]:
        """Have a connection in hand without running a statement."""
        with self.wrap_database_errors:
            hold = self._living(_PLAIN)
        try:
            yield hold
        finally:
            self._rest(hold)

    @contextmanager
    def in_hand(self) -> Iterator[DriverConnection]:
        """Have the connection in hand, dead or alive, for code that may ask it something."""
        hold, gone = self._hold, self._gone
        if hold is None and gone is not None and self.in_atomic_block:
            yield gone.connection
            return
        mine = hold is not None and hold.pid == os.getpid() and not hold.returned
        if hold is None or not mine or hold.resting and not hold.lease.resume():
            with self.wrap_database_errors:
                hold = self._living(_PLAIN)
        hold.resting = False
        try:
            yield hold.connection
        finally:
            self._rest(hold)

    def is_usable(self) -> bool:
        """Whether the held connection lives; asks the server, within ``ping_timeout`` seconds.

        Where Django itself wants to know, what the kernel knows is enough: no round trip.
        """
        hold = self._hold
        mine = hold is not None and hold.pid == os.getpid() and not self._refuses
        if hold is None or not mine or not self._has_in_hand(hold):
            return False
        connection = hold.connection
        if not connection.alive():
            return False
        self._notice_unseen(hold)  # before a ping, which is one more command
        if "is_usable" in self._covered:
            if not self._conduct(super().is_usable):
                return False
            hold.seen = connection.commands
        elif connection.busy:
            return self._checking or connection.reads_on  # a ping is refused otherwise
        elif not self._checking:
            if not connection.ping_within(self._find_target().lifeline.ping_timeout):
                return False
            hold.seen = connection.commands
        del connection
        self._rest(hold)
        return True

    def _has_in_hand(self, hold: Hold) -> bool:
        """Whether what rests is this wrapper's own again; otherwise somebody else has it."""
        if hold.resting:
            if not hold.lease.resume():
                self._hold = None
                return False
            hold.resting = hold.returned = False
        return True

    _checking = False
    """Django's health check is running, not one of the application's."""

    def _passes_check(self) -> bool:
        try:
            self._checking = True
            return self.is_usable()
        finally:
            self._checking = False

    def close_if_health_check_failed(self) -> None:
        """Do what ``CONN_HEALTH_CHECKS`` asks for, though a probe precedes every statement.

        Only once for each piece of work, before it has done anything: what is found dead later
        has died with what it held, which is a loss to be told of.
        """
        if "close_if_health_check_failed" in self._covered:
            self._announce(super().close_if_health_check_failed)
        hold = self._hold
        if not self.health_check_enabled or self.health_check_done:
            return
        if hold is None:
            if self._refuses:  # stock Django's dead connection fails the check
                self.close()
        elif hold.returned and not self._is_hooked("is_usable"):
            pass  # the probe before its first statement is the check
        elif not self._passes_check():
            self._end_unusable()
        self.health_check_done = True

    def close_if_unusable_or_obsolete(self) -> None:
        """Give the connection back: a request, a task or a piece of work begins or ends.

        Without a pool (``OPTIONS["pool"] = False``) ``CONN_MAX_AGE`` decides, as in Django.
        """
        hold = self._hold
        if hold is not None and hold.returned:  # and nothing was done since
            if "close_if_unusable_or_obsolete" not in self._covered:
                return
            shortly = False
        else:
            shortly = self._goes_straight_to_the_end and _TO_THE_END.is_open(self)
        # Whatever was under way is over, also where something broke in as it ended.
        self._conducting = self._ensuring = self._checking = self._connecting = False
        self._announcing = self._winding_up = self._beginning = False
        if not self.in_atomic_block:
            self._missed = None
        if shortly:
            if hold is not None and self._ends_in_order(hold):
                return
        else:
            if "close_if_unusable_or_obsolete" in self._covered:
                self._announce(super().close_if_unusable_or_obsolete)
            hold = self._hold
        if hold is None:
            self._forget_what_was_lost()
            return
        if not hold.returned:
            self._end_piece_of_work(hold, shortly)

    def _ends_in_order(self, hold: Hold) -> bool:
        """Give back what is at rest, as a piece of work mostly leaves it; False: look closer."""
        if (
            not hold.resting
            or self.errors_occurred
            or self.needs_rollback
            or self.run_on_commit
            or self.autocommit != self.settings_dict["AUTOCOMMIT"]
            or connection_created.receivers
            or hold.connection.session.arranged is not None
            or not self._is_left_at_rest(hold)
        ):
            return False
        self.health_check_done = False
        return True

    def _is_left_at_rest(self, hold: Hold) -> bool:
        """Give it back, yet keep it until somebody else asks for it; False: it is not kept."""
        # First of all: a signal handler that comes in between takes it in hand again.
        hold.returned, hold.wanted = True, False
        own = self.close_at is None or hold.used_at < self.close_at
        if not hold.pool.leave(hold.lease, own=own):
            hold.returned = False
            return False
        targets.pass_by(self._target)
        return True

    def _end_piece_of_work(self, hold: Hold, shortly: bool) -> None:
        """Do what Django does with a connection that its request or task needs no more."""
        self.health_check_done = False
        autocommit = self.autocommit if shortly else self.get_autocommit()
        if autocommit != self.settings_dict["AUTOCOMMIT"]:
            # The application did not restore autocommit: don't take chances with its session.
            self.close()
        elif self.errors_occurred and not self._recovers_from_errors():
            self._end_unusable()
        elif self._is_obsolete() and (
            not shortly or self.needs_rollback or self.run_on_commit
        ):  # which Django forgets as it closes and connects
            self.close()
        elif self._target is not None and self._target.pooled:
            self._leave(hold)
        elif self._is_obsolete():
            self.close()

    def _forget_what_was_lost(self) -> None:
        """A lost transaction, or its autocommit mode, is not the next piece of work's."""
        # Where nothing was opened there is nothing to close, which asynchronous code must not do.
        if not self._closed and (
            self._work_lost or self.autocommit != self.settings_dict["AUTOCOMMIT"]
        ):
            self.close()
        self._closed, self._owed, self._keepsake = True, (), None
        self._forgone, self._untaken = (), None

    def _is_hooked(self, name: str) -> bool:
        """Whether a method is not Django's or the engine's own."""
        return name in self._overridden or name in self._covered or name in self.__dict__

    def _announce(self, replaced: Callable[[], object]) -> None:
        """Call what somebody has put in the place of a method of Django's.

        Django's own does nothing below it, where it finds no connection: the engine does it after.
        """
        self._announcing = True
        try:
            replaced()
        finally:
            self._announcing = False

    def _start_transaction_under_autocommit(self) -> None:
        if "_set_autocommit" in self.__dict__:
            with debug_transaction(self, "BEGIN"):
                self._set_autocommit(False)
        else:
            super()._start_transaction_under_autocommit()

    def _leave(self, hold: Hold) -> None:
        """Give back to the pool, yet keep the connection until somebody else asks for it."""
        if not hold.resting:
            if not (hold.is_private or self._is_obsolete()):
                return  # as stock: who keeps the driver's object goes on with it
            self._rest(hold)
            if not hold.resting and self._stays_with_its_owner(hold):
                return
        kept = hold.resting and not self._connects_anew(hold) and self._is_left_at_rest(hold)
        if not kept:
            self._give_back(hold)

    def _stays_with_its_owner(self, hold: Hold) -> bool:
        """Whether his next piece of work finds what this one left in its session, as with stock.

        That is what ``CONN_MAX_AGE`` promises: a leader's lock is his over many pieces of work.
        Not where somebody has set how many connections there are: others wait for this one.
        """
        pool = hold.pool
        return (
            not (self._is_obsolete() or hold.session.clean or hold.connection.busy)
            and isinstance(pool, Pool)
            and not pool.bounded
            and hold.pid == os.getpid()
            and hold.lease.slot.generation == pool.generation
        )

    def leave_nothing(self) -> None:
        """Give back also what `_stays_with_its_owner`: a scope ends, whatever it has left."""
        hold = self._hold
        if hold is not None and self._stays_with_its_owner(hold) and hold.is_private:
            self._give_back(hold)

    def _recovers_from_errors(self) -> bool:
        """After database errors, whether the connection lives on all the same."""
        if not self._passes_check():
            return False
        self.errors_occurred = False
        self.health_check_done = True
        return True

    def _end_unusable(self) -> None:
        """Close a connection that failed its check, so that the pool does not lend it on."""
        hold = self._hold
        if hold is not None and not self.in_atomic_block and self._has_in_hand(hold):
            self._drop(hold, Reason.DEAD)
        self.close()

    @async_unsafe
    def close(self) -> None:
        """Give the connection back; inside ``atomic`` its transaction is rolled back."""
        if "close" in self._covered:
            self._announce(super().close)
        else:
            self.validate_thread_sharing()
        self.run_on_commit = []
        self._closed, self._owed, self._keepsake = True, (), None
        self._forgone, self._untaken = (), None
        if not self.in_atomic_block:
            self._work_lost, self._missed = False, None
        # The settings may be about to change, as when a test database takes the place of another.
        if self._hold is None:
            self._target = self._known = None
        # What a block has lost Django holds on to until its end, or closes as it does a living one.
        held = self._hold is not None
        if self.closed_in_transaction or not (held or self.in_atomic_block):
            return
        if held:
            self._close()
        if self.in_atomic_block:
            self.closed_in_transaction = True
            self.needs_rollback = True
        self._target = self._known = None

    def _close(self) -> None:
        if self._hold is not None:
            self._conduct(super()._close)
