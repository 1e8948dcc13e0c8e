"""The cursor that asks for a living connection before every statement."""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from types import FunctionType
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import IntegrityError
from django.db.backends import utils
from django.db.backends.mysql import base as stock

from django_lifeline.backends.assembly import clock
from django_lifeline.backends.reading import Reading
from django_lifeline.core.statement import Statement, known_statements, statement_of

if TYPE_CHECKING:
    from django_lifeline.backends.hold import Hold
    from django_lifeline.backends.wrapper import LifelineMixin

_PROCEDURE_CALL = "CALL a_procedure()"
_known = known_statements.get


class Cursor(utils.CursorWrapper):
    """Django's cursor as applications get it, without the calls that have nothing to do.

    Use it only while `djangos_is_untouched`: who watches statements (Sentry, for one) replaces
    methods of Django's class.
    """

    def execute(self, sql: Any, params: Any = None) -> Any:
        """Run one statement, as Django does."""
        db = self.db
        if db.execute_wrappers or db.needs_rollback or not apps.ready:
            return super().execute(sql, params)
        try:
            return self.cursor.execute(sql, params)
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

    def fetchmany(self, *size: int) -> Any:
        """Return some rows."""
        try:
            return self.cursor.fetchmany(*size)
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

    def close(self) -> None:
        """Close the cursor; from then on it runs no statement."""
        self.cursor.close()

    def _translate(self, error: Exception) -> None:
        """Raise what Django makes of a driver's error."""
        self.db.wrap_database_errors.__exit__(type(error), error, error.__traceback__)


def _of_django(name: str) -> object:
    """Return the method of Django's cursor; None where somebody has replaced it already."""
    method = getattr(utils.CursorWrapper, name)
    genuine = type(method) is FunctionType and method.__code__.co_filename == _DJANGOS_FILE
    return method if genuine else None


_DJANGOS_FILE = utils.CursorWrapper.__getattr__.__code__.co_filename
_djangos_execute = _of_django("execute")
_djangos_steps = _of_django("_execute_with_wrappers"), _of_django("_execute")


def djangos_is_untouched() -> bool:
    """Whether Django's cursor is as Django made it."""
    djangos = utils.CursorWrapper
    return djangos.execute is _djangos_execute and _djangos_steps == (
        djangos._execute_with_wrappers,
        djangos._execute,
    )


class CursorWrapper(stock.CursorWrapper):
    """Django's MySQL cursor over a driver cursor that moves along when the connection changes.

    Once a statement's whole answer has arrived, the driver's cursor is cut from its connection:
    closing it later must not touch a connection that somebody else may hold by then.
    """

    def __init__(self, db: LifelineMixin, cursor: Any) -> None:
        self.cursor = cursor
        self._db = db
        self._closed = False

    def execute(self, query: Any, args: Any = None) -> Any:
        """Run one statement.

        Raises ``ConnectionLost`` when the connection died and repeating would not be safe.
        """
        return self._run(_known(query) or statement_of(query), "execute", query, args)

    def executemany(self, query: Any, args: Any) -> Any:
        """Run one statement for many rows; once part of it was sent it is never repeated."""
        batch = statement_of(query).as_batch
        return self._run(batch, "executemany", query, args)

    def callproc(self, procname: str, args: Any = ()) -> Any:
        """Call a stored procedure; what it does to the session cannot be seen from here."""
        return self._run(statement_of(_PROCEDURE_CALL), "callproc", procname, args)

    def nextset(self) -> Any:
        """Move to the next result, as the driver does; None when there is none."""
        return None if self.cursor.connection is None else self.cursor.nextset()

    # The driver's own, without the detour through ``__getattr__`` or a frame between.
    fetchone = property(attrgetter("cursor.fetchone"))
    fetchmany = property(attrgetter("cursor.fetchmany"))
    fetchall = property(attrgetter("cursor.fetchall"))

    def close(self) -> None:
        """Close the cursor; from then on it runs no statement."""
        self._closed = True
        if self.cursor.connection is not None:
            self.cursor.close()

    def _run(self, statement: Statement, method: str, query: Any, args: Any) -> Any:
        # The driver's cursor may change between two attempts, so its method is named, not bound.
        db = self._db
        if self._closed:
            raise db.Database.ProgrammingError("The cursor is closed.")
        hold = db.ready(statement)
        if self.cursor.connection is not hold.connection:
            self._move(hold)
        try:
            result = getattr(self.cursor, method)(query, args)
        except BaseException as error:
            again = db.recover(hold, statement, error)
            if again is None:
                self._say_integrity(error)
                raise
            hold = again
            self._move(hold)
            try:
                result = getattr(self.cursor, method)(query, args)
            except BaseException as second:
                db.recover(hold, statement, second, may_repeat=False)
                self._say_integrity(second)
                raise
        if db.settle(hold, statement, query, self.cursor):
            self.cursor.connection = None
        else:
            self._go_on_reading(hold, statement)
        return result

    def _go_on_reading(self, hold: Hold, statement: Statement) -> None:
        """The rest of the answer is read later, by whoever uses this cursor."""
        if not isinstance(self.cursor, Reading):
            self.cursor = Reading(self.cursor, clock)
        self.cursor.watch(partial(self._db.lost_reading, hold, statement))

    def _move(self, hold: Hold) -> None:
        self.cursor = hold.connection.cursor()

    def _say_integrity(self, error: BaseException) -> None:
        """Raise what stock Django makes of some numbers that drivers call operational."""
        operational = isinstance(error, self._db.Database.OperationalError)
        if operational and error.args[0] in self.codes_for_integrityerror:
            raise IntegrityError(*error.args)
