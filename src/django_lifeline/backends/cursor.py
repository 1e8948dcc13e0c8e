"""The cursor that asks for a living connection before every statement."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.db.backends.mysql import base as stock

from django_lifeline.core.statement import Statement, statement_of

if TYPE_CHECKING:
    from django_lifeline.backends.hold import Hold
    from django_lifeline.backends.wrapper import LifelineMixin

_PROCEDURE_CALL = "CALL a_procedure()"


class CursorWrapper(stock.CursorWrapper):
    """Django's MySQL cursor over a driver cursor that moves along when the connection changes.

    Once a statement's whole answer has arrived, the driver's cursor is cut from its connection:
    closing it later must not touch a connection that somebody else may hold by then.
    """

    def __init__(self, db: LifelineMixin, cursor: Any) -> None:
        super().__init__(cursor)
        self._db = db
        self._closed = False

    def execute(self, query: Any, args: Any = None) -> Any:
        """Run one statement.

        Raises ``ConnectionLost`` when the connection died and repeating would not be safe.
        """
        return self._run(statement_of(query), stock.CursorWrapper.execute, query, args)

    def executemany(self, query: Any, args: Any) -> Any:
        """Run one statement for many rows; once part of it was sent it is never repeated."""
        batch = statement_of(query).as_batch
        return self._run(batch, stock.CursorWrapper.executemany, query, args)

    def callproc(self, procname: str, args: Any = ()) -> Any:
        """Call a stored procedure; what it does to the session cannot be seen from here."""
        return self._run(statement_of(_PROCEDURE_CALL), _call_procedure, procname, args)

    def nextset(self) -> Any:
        """Move to the next result, as the driver does; None when there is none."""
        return None if self.cursor.connection is None else self.cursor.nextset()

    def close(self) -> None:
        """Close the cursor; from then on it runs no statement."""
        self._closed = True
        self.cursor.close()

    def _run(
        self, statement: Statement, method: Callable[..., Any], query: Any, args: Any
    ) -> Any:
        db = self._db
        if self._closed:
            raise db.Database.ProgrammingError("The cursor is closed.")
        hold = db.ready(statement)
        if self.cursor.connection is not hold.connection:
            self._move(hold)
        try:
            result = method(self, query, args)
        except BaseException as error:
            again = db.recover(hold, statement, error)
            if again is None:
                raise
            hold = again
            self._move(hold)
            try:
                result = method(self, query, args)
            except BaseException as second:
                db.recover(hold, statement, second, may_repeat=False)
                raise
        if db.settle(hold, statement, query, self.cursor):
            self.cursor.connection = None
        return result

    def _move(self, hold: Hold) -> None:
        self.cursor = hold.connection.cursor()


def _call_procedure(cursor: CursorWrapper, procname: str, args: Any) -> Any:
    return cursor.cursor.callproc(procname, args)
