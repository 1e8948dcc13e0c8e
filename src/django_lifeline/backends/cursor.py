"""The cursor that asks for a living connection before every statement."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial, wraps
from inspect import ismethod
from operator import attrgetter
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from django.apps import apps
from django.db import IntegrityError
from django.db.backends import utils
from django.db.backends.mysql import base as stock

from django_lifeline.backends.assembly import clock
from django_lifeline.backends.reading import Reading
from django_lifeline.core.drivers import driver_for
from django_lifeline.core.effects import Asks
from django_lifeline.core.statement import Statement, known_statements, statement_of

if TYPE_CHECKING:
    from django_lifeline.backends.hold import Hold
    from django_lifeline.core.drivers.base import DriverConnection

_PROCEDURE_CALL = "CALL a_procedure()"
_known = known_statements.get
_NOTHING = Asks.NOTHING
_TOO_OFTEN = 2
"""Repeats after which neither a loss nor a refusal is followed by another."""


class Wrapper(Protocol):
    """What a cursor asks of the database wrapper that it belongs to."""

    Database: Any
    connection: Any

    def ensure_connection(self) -> None: ...
    def create_cursor(self, name: str | None = None) -> Any: ...
    def driver_cursor(self, hold: Hold) -> Any: ...
    def holds(self, connection: DriverConnection) -> Hold | None: ...
    def left_unread(self) -> Hold | None: ...
    def held_for_a_moment(self) -> AbstractContextManager[Hold]: ...
    def in_hand(self) -> AbstractContextManager[DriverConnection]: ...
    def ready(self, statement: Statement) -> Hold: ...
    def in_place_of(self, statement: Statement, sql: Any, args: Any) -> tuple[Any, Any]: ...
    def settle(self, hold: Hold, statement: Statement, sql: Any, cursor: Any) -> bool: ...
    def finished_reading(self, hold: Hold) -> None: ...
    def failed_reading(self, hold: Hold, statement: Statement) -> None: ...
    def lost_closing(self, hold: Hold, error: BaseException) -> None: ...
    def lost_reading(
        self, hold: Hold, statement: Statement, error: BaseException, pause: float
    ) -> BaseException | None: ...
    def recover(
        self, hold: Hold, statement: Statement, error: BaseException, *, repeats: int = 0
    ) -> Hold | None: ...


class Cursor(utils.CursorWrapper):
    """Django's cursor as applications get it, without the calls that have nothing to do.

    Use it only while `djangos` is untouched: who watches statements (Sentry, for one) replaces
    methods of Django's class. It says of itself that it is Django's, since others build classes
    of their own on what they find (django-debug-toolbar, for one).
    """

    __class__ = property(lambda self: utils.CursorWrapper)

    def execute(self, sql: Any, params: Any = None) -> Any:
        """Run one statement, as Django does."""
        db = self.db
        if db.execute_wrappers or db.__dict__["needs_rollback"] or not apps.ready:
            return super().execute(sql, params)
        try:
            # Without parameters Django leaves them out, which is for the driver to tell apart.
            return self.cursor.execute(sql) if params is None else self.cursor.execute(sql, params)
        except Exception as error:
            self._translate(error)
            raise

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        try:
            return self.cursor.fetchone()
        except Exception as error:
            self._translate(error)
            raise

    def fetchmany(self, *args: Any, **kwargs: Any) -> Any:
        """Return some rows."""
        try:
            return self.cursor.fetchmany(*args, **kwargs)
        except Exception as error:
            self._translate(error)
            raise

    def fetchall(self) -> Any:
        """Return the rows that are left."""
        try:
            return self.cursor.fetchall()
        except Exception as error:
            self._translate(error)
            raise

    def _translate(self, error: Exception) -> None:
        """Raise what Django makes of a driver's error."""
        self.db.wrap_database_errors.__exit__(type(error), error, error.__traceback__)


# Tools that write down of what kind a cursor is write what they write with stock.
Cursor.__name__ = Cursor.__qualname__ = utils.CursorWrapper.__name__


class AsFound:
    """A class of Django's as it was imported; it is noticed when somebody replaces its methods."""

    def __init__(self, module: ModuleType, *steps: str) -> None:
        kind = module.CursorWrapper
        self._module = module
        self._found: Any = attrgetter("CursorWrapper", *(f"CursorWrapper.{step}" for step in steps))
        file = kind.__getattr__.__code__.co_filename
        methods = (getattr(kind, step) for step in steps)
        # None where somebody has replaced it already: nothing is equal to that.
        self._genuine = (kind, *(it if _is_written_in(file, it) else None for it in methods))

    def is_untouched(self) -> bool:
        """Whether it is as Django made it."""
        return bool(self._found(self._module) == self._genuine)


def _is_written_in(file: str, method: object) -> bool:
    return type(method) is FunctionType and method.__code__.co_filename == file


djangos = AsFound(
    utils,
    *("__getattr__", "execute", "executemany", "callproc"),
    *("_execute", "_execute_with_wrappers"),
)
"""Django's cursor, which applications get."""
_djangos_below = AsFound(stock, "__init__", "__getattr__", "__iter__", "execute", "executemany")


def as_people_made_it(cursor: CursorWrapper) -> Any:
    """Return *cursor* in Django's own MySQL cursor where somebody has put something into that."""
    return cursor if _djangos_below.is_untouched() else stock.CursorWrapper(cursor)


OWN_CURSORS: frozenset[type] = driver_for(stock.Database).OWN_CURSORS
"""The driver's classes of cursors, and ours."""
_END = object()
_NEED_A_CONNECTION = frozenset({"mogrify", "_mogrify", "literal", "_escape_args", "_get_db"})
"""Methods of the drivers' cursors that ask the connection how it writes a value."""


class CursorWrapper(stock.CursorWrapper):
    """Django's MySQL cursor over a driver cursor that moves along when the connection changes.

    The driver's cursor has a connection only while a statement runs and its answer is read: what
    is done with it before or later must not touch a connection that somebody else may hold.

    ``cursor`` is what runs statements. Where a subclass or a tool makes cursors of its own, it is
    theirs, and the driver's is somewhere below it.
    """

    _closed = False
    _torn = False
    """The driver's cursor was cut off in the middle of an answer: it serves no more."""
    _made_otherwise = False

    def __init__(self, db: Wrapper, cursor: Any) -> None:
        self.cursor = self._below = cursor
        self._db = db

    @classmethod
    def over(cls, db: Wrapper, cursor: Any) -> CursorWrapper:
        """Return one over a cursor that somebody else has made."""
        made = cls(db, cursor)
        made._made_otherwise = True
        made._below = _lowest(cursor)
        made._below.connection = None
        return made

    @classmethod
    def unconnected(cls, db: Wrapper) -> CursorWrapper:
        """Return one that finds its driver's cursor when it has a connection."""
        made = cls(db, db.Database.cursors.Cursor(None))
        made._torn = True
        return made

    def execute(self, query: Any, args: Any = None) -> Any:
        """Run one statement.

        Raises ``ConnectionLost`` when the connection died and repeating would not be safe.
        """
        try:
            statement = _known(query) or statement_of(query)
        except TypeError:  # no text at all, or one that changes: the driver says what it wants
            statement = statement_of(bytes(query) if isinstance(query, bytearray) else str(query))
        return self._run(statement, "execute", query, args)

    def executemany(self, query: Any, args: Any) -> Any:
        """Run one statement for many rows; once part of it was sent it is never repeated."""
        batch = statement_of(query).as_batch
        return self._run(batch, "executemany", query, args)

    def callproc(self, procname: Any, args: Any = ()) -> Any:
        """Call a stored procedure; what it does to the session cannot be seen from here."""
        return self._run(statement_of(_PROCEDURE_CALL), "callproc", procname, args)

    def nextset(self) -> Any:
        """Move to the next result, as the driver does; None when there is none."""
        below = self._below
        if below.connection is not None or self._closed:
            return self.cursor.nextset()
        hold = self._db.left_unread()
        return self._past_the_end(below.nextset) if hold is None else self._go_on_from(hold)

    def _go_on_from(self, hold: Hold) -> Any:
        """Move to the next result of what another cursor left unread, if the driver lets us."""
        self._below.connection = hold.connection
        self._go_on_reading(hold, statement_of(_PROCEDURE_CALL))
        moved = self.cursor.nextset()
        if moved is None:
            self._cut()
        return moved

    def _past_the_end(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a method of the driver's cursor when all has been read.

        The connection may be in other hands: the cursor drops its rows, finds no more, or says
        what it says after an error, without a look at it.
        """
        before = self._below.connection
        self._below.connection = _NoMore(self._below, before)
        try:
            return call(*args, **kwargs)
        finally:
            self._below.connection = before

    # The driver's own, without the detour through ``__getattr__`` or a frame between.
    fetchone = property(attrgetter("cursor.fetchone"))
    fetchmany = property(attrgetter("cursor.fetchmany"))
    fetchall = property(attrgetter("cursor.fetchall"))

    @property
    def connection(self) -> Any:
        """The driver's connection; None once the cursor is closed."""
        db = self._db
        if not self._closed and db.connection is None:
            db.ensure_connection()  # as this cursor's next statement would
        return None if self._closed else db.connection

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.cursor, name)
        return self._with_a_connection(value) if name in _NEED_A_CONNECTION else value

    def close(self) -> None:
        """Close the cursor; from then on it runs no statement.

        What is left of an answer is read. Should that fail the connection is ended: whoever closes
        a cursor has what he wanted.
        """
        self._closed = True
        connection = self._below.connection
        if connection is None:
            # mysqlclient forgets the rows at this point, if it still has a connection.
            getattr(self.cursor, "_discard", _nothing)()
            self.cursor.close()
            return
        hold = self._db.holds(connection)
        if hold is None or connection.broken or connection.closed:
            self._cut()
            return
        try:
            self.cursor.close()
        except Exception as error:
            self._db.lost_closing(hold, error)
        finally:
            self._cut()
        if not connection.busy:
            self._db.finished_reading(hold)

    def _run(self, statement: Statement, method: str, query: Any, args: Any) -> Any:
        # The driver's cursor may change between two attempts, so its method is named, not bound.
        db = self._db
        if self._closed:
            return getattr(self.cursor, method)(query, args)  # which says so
        hold = db.ready(statement)
        if statement.asks is not _NOTHING:
            query, args = db.in_place_of(statement, query, args)
        if self._torn:
            self._move(hold)
        else:
            self._below.connection = hold.connection
        try:
            result = getattr(self.cursor, method)(query, args)
        except BaseException as error:
            # What is left of an iterator is not what was given.
            repeats = _TOO_OFTEN if hasattr(args, "__next__") else 0
            again = self._run_again(hold, statement, error, method, (query, args), repeats)
            if again is None:
                raise
            hold, result = again
        if hold.connection.busy:
            db.settle(hold, statement, query, self._below)
            self._go_on_reading(hold, statement)
        else:
            self._below.connection = None
            db.settle(hold, statement, query, self._below)
        return result

    def _run_again(
        self,
        hold: Hold,
        statement: Statement,
        error: BaseException,
        method: str,
        given: tuple[Any, Any],
        repeats: int,
    ) -> tuple[Hold, Any] | None:
        """Run it on another connection, where nothing of it has happened or that is no matter.

        Once after a loss and once after a refusal, since a failover may have both. None: *error*
        is for the caller.
        """
        self._cut_off(hold)
        hold_again = self._db.recover(hold, statement, error, repeats=repeats)
        if hold_again is None:
            self._say_integrity(error)
            return None
        self._move(hold_again)
        try:
            return hold_again, getattr(self.cursor, method)(*given)
        except BaseException as next_error:
            again = self._run_again(hold_again, statement, next_error, method, given, repeats + 1)
            if again is None:
                raise
            return again

    def _go_on_reading(self, hold: Hold, statement: Statement) -> None:
        """The rest of the answer is read later, by whoever uses this cursor."""
        if not isinstance(self.cursor, Reading):
            self.cursor = Reading(self.cursor, clock)
        self.cursor.watch(_Rest(self, hold, statement))

    def _move(self, hold: Hold) -> None:
        """Take the driver's cursor to the connection in hand; a torn one is replaced."""
        if self._torn:
            self._torn = False
            if self._made_otherwise:
                self.cursor = self._db.create_cursor()
                self._below = _lowest(self.cursor)
            else:
                self.cursor = self._below = self._db.driver_cursor(hold)
        self._below.connection = hold.connection

    def _with_a_connection(self, method: Any) -> Any:
        """Return a method that needs a connection, though nothing is sent."""

        @wraps(method)
        def attached(*args: Any, **kwargs: Any) -> Any:
            if self._closed or self._below.connection is not None:
                return method(*args, **kwargs)
            with self._db.held_for_a_moment() as hold:
                self._move(hold)
                try:
                    return getattr(self.cursor, method.__name__)(*args, **kwargs)
                finally:
                    self._below.connection = None

        return attached

    def _cut(self) -> None:
        self._below.connection = None

    def _cut_off(self, hold: Hold) -> None:
        """After an error: whoever closes the cursor now must not ask the connection anything."""
        self._torn = self._torn or hold.connection.busy
        self._cut()

    def _say_integrity(self, error: BaseException) -> None:
        """Raise what stock Django makes of some numbers that drivers call operational."""
        operational = isinstance(error, self._db.Database.OperationalError)
        if operational and error.args[0] in self.codes_for_integrityerror:
            raise IntegrityError(*error.args)


class AttachingWrapper(CursorWrapper):
    """One over a cursor of somebody else's class, which may ask its connection at any time.

    So it has one whenever a method of its own runs: the one in hand, dead or alive.
    """

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        return self._attached(self.cursor.fetchone)

    def fetchmany(self, *args: Any, **kwargs: Any) -> Any:
        """Return some rows."""
        return self._attached(self.cursor.fetchmany, *args, **kwargs)

    def fetchall(self) -> Any:
        """Return the rows that are left."""
        return self._attached(self.cursor.fetchall)

    def nextset(self) -> Any:
        """Move to the next result; None when there is none."""
        return self._attached(super().nextset)

    def __iter__(self) -> Iterator[Any]:
        rows = self._attached(iter, self.cursor)
        while (row := self._attached(next, rows, _END)) is not _END:
            yield row

    def __getattr__(self, name: str) -> Any:
        written = getattr(type(self._below), name, getattr(type(self.cursor), name, None))
        if written is None or name in _NEED_A_CONNECTION:
            return super().__getattr__(name)
        value = self._attached(getattr, self.cursor, name)
        return wraps(value)(partial(self._attached, value)) if ismethod(value) else value

    def _attached(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        below = self._below
        if self._closed or below.connection is not None:
            return call(*args, **kwargs)
        with self._db.in_hand() as connection:
            below.connection = connection
            try:
                return call(*args, **kwargs)
            finally:
                below.connection = None


class _Rest:
    """What is still to come of an answer, and to whom it is told how the reading went.

    The cursor is referred to weakly: dropping it has to drop the driver's at once, which is how
    the drivers know that nobody wants the rows that are left.
    """

    def __init__(self, cursor: CursorWrapper, hold: Hold, statement: Statement) -> None:
        self._whose = weakref.ref(cursor)
        self._hold = hold
        self._statement = statement
        self._over = False

    def lost(self, error: BaseException, pause: float) -> BaseException | None:
        """Return the loss to raise instead of *error*, None for the error itself."""
        cursor = self._whose()
        if self._over or cursor is None:
            return None
        lost = cursor._db.lost_reading(self._hold, self._statement, error, pause)
        if lost is not None or self._hold.connection.broken:
            cursor._cut_off(self._hold)
        elif isinstance(error, cursor._db.Database.Error) and not self._hold.connection.busy:
            self._over = True
            cursor._cut()
            cursor._db.failed_reading(self._hold, self._statement)
        return lost

    def read(self) -> None:
        """Let go of the connection once all has been read."""
        cursor = self._whose()
        if cursor is None or cursor._below.connection is not self._hold.connection:
            return  # which has happened already
        if not self._hold.connection.busy:
            self._over = True
            cursor._cut()
            cursor._db.finished_reading(self._hold)

    def reading(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return *call*, or what calls it once there is nothing left to be read."""
        cursor = self._whose()
        if self._over and cursor is not None and not cursor._closed:
            return partial(cursor._past_the_end, call)
        return call


class _NoMore:
    """What a driver's cursor asks, instead of its connection, when it has had all there was."""

    _result = None

    def __init__(self, cursor: Any, connection: Any) -> None:
        self._cursor = cursor
        self._connection = connection
        """Where a cursor of somebody else's class may ask it something: the one in hand."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def warning_count(self) -> Any:
        """Return what the library said at the end of the answer."""
        return self._cursor.warning_count

    def next_result(self) -> int:
        """Return what the library says where there is none."""
        return -1


def _nothing() -> None:
    """Do nothing."""


def _lowest(cursor: Any) -> Any:
    """Return the driver's cursor below others, or the last proxy that stands round it."""
    while True:
        below = getattr(cursor, "cursor", None)
        if below is None or callable(below):
            return cursor
        cursor = below
