"""PyMySQL's connection with liveness, exchange state, and one round trip after authentication."""

from __future__ import annotations

import errno
import os
import ssl
import struct
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pymysql
from pymysql import connections, cursors
from pymysql.charset import charset_by_name
from pymysql.connections import Connection as StockConnection
from pymysql.connections import MySQLResult
from pymysql.constants import COMMAND
from pymysql.cursors import Cursor as StockCursor

from django_lifeline.core.drivers.base import (
    COMMANDS_OUT_OF_SYNC,
    HANDSHAKE_FAILED,
    NO_ANSWER,
    NUMBERS,
    SERVER_LOST,
    Batches,
    Guarded,
    OpeningSets,
    adopted_class,
    classes_in,
    ends_exchange,
    genuine,
    quietly,
    unwrapped,
)
from django_lifeline.core.liveness import SYSTEM_TCP, TcpOptions

T = TypeVar("T")

COM_RESET_CONNECTION = 0x1F

_IN_TRANSACTION, _AUTOCOMMIT = 1, 2
_FLAGS = _IN_TRANSACTION | _AUTOCOMMIT

# What the system says when the socket is taken away while the driver works, by another thread
# that shares the connection or by a close of the descriptor.
_NO_SOCKET_THERE = (errno.EBADF, errno.ENOTSOCK)

# What the driver's code meets in bytes that are no answer. These alone, not what is derived from
# them: that may be the application's.
_MISREAD_GREETING = frozenset(
    {AssertionError, IndexError, UnicodeDecodeError, ValueError, struct.error}
)
_MISREAD = _MISREAD_GREETING | {AttributeError, KeyError, TypeError}
_READERS = frozenset({"pymysql.connections", "pymysql.err", "pymysql.protocol"})
_CONVERTS = "_read_row_from_packet"
"""It calls converters, which may be the application's, and meets values of any charset."""

_send = StockConnection._execute_command

_contexts: dict[tuple[object, ...], tuple[tuple[object, ...], ssl.SSLContext]] = {}
"""For each set of options the context, and what its files were like when it was made."""


def connect(params: Mapping[str, Any], *, tcp: TcpOptions = SYSTEM_TCP) -> Connection:
    """Connect with PyMySQL's parameters; ``autocommit`` is on and ``connect_timeout`` 10 s.

    ``opening_sets``, such as ``"@@session.sql_mode='ANSI'"``, travels with SET NAMES.
    Where somebody has wrapped ``pymysql.connect``, or put a class of his own in the place of the
    driver's, his is called. Raises PyMySQL's ``OperationalError``.
    """
    options = {"autocommit": True, "connect_timeout": 10, **params}
    if _connects_otherwise():
        sets = options.pop("opening_sets", "")
        connection = adopt(pymysql.connect(**options), options, opening_sets=sets)
    else:
        connection = Connection(**options)
    connection.channel.set_tcp(tcp)
    # As Django does: bytes are to be quoted by the driver, not by this converter.
    if connection.encoders.get(bytes) is bytes:
        connection.encoders.pop(bytes)
    return connection


def adopt(visible: Any, params: Mapping[str, Any], *, opening_sets: OpeningSets = "") -> Connection:
    """Make a connection that somebody else has opened one of ours, whatever is put round it.

    Raises `NotADriversConnection` where it is none of the driver's, and the driver's errors.
    """
    connection: Any = unwrapped(visible, StockConnection)
    if not isinstance(connection, Connection):
        connection.__class__ = adopted_class(type(connection), Connection, StockConnection)
        connection._take_in(opening_sets)
    connection.visible = visible
    return connection


def unwrap(visible: Any) -> Any:
    """Return the driver's own connection below *visible*; `NotADriversConnection` if none is."""
    return unwrapped(visible, StockConnection)


def _connects_otherwise() -> bool:
    # `connect` is another name of the class.
    return pymysql.connect is not StockConnection or connections.Connection is not StockConnection


class Cursor(Batches, StockCursor):
    """PyMySQL's own cursor, which does the steps of a common statement in one place."""

    _result: Any

    def execute(self, query: Any, args: Any = None) -> Any:
        """Run one statement, as the driver does with a dozen calls of Python."""
        connection: Any = self.connection
        if (
            connection is None
            or connection.busy
            or self._result is not None
            or StockCursor.execute is not _EXECUTE
        ):
            return super().execute(query, args)
        if args is not None:
            query = self._mogrify(query, args)
        self.rownumber = self.rowcount = self.warning_count = 0
        self.description = self.lastrowid = self._rows = None
        data = query.encode(connection.encoding) if isinstance(query, str) else query
        result = self._result = connection.exchange(data)
        rowcount = self.rowcount = result.affected_rows
        self.warning_count = result.warning_count
        self.description = result.description
        self.lastrowid = result.insert_id
        self._rows = result.rows
        self._executed = query
        return rowcount

    if not hasattr(StockCursor, "_mogrify"):
        # PyMySQL before 1.2 writes parameters, bytes above all, in another way: all its own.
        execute = StockCursor.execute


_EXECUTE = genuine(StockCursor.execute, "pymysql.cursors")
"""The driver's own; somebody who replaced it gets his called."""

OWN_CURSORS = classes_in(cursors) | {Cursor}
"""Classes of cursors that ask their connection nothing once they have their rows."""


class Connection(Guarded, StockConnection):
    """A PyMySQL connection that knows whether it is alive and busy."""

    reads_on = True
    decoders: dict[int, Any]
    _result: Any = None
    _read_timeout: float | None
    _write_timeout: float | None

    def __init__(self, *, opening_sets: OpeningSets = "", **params: Any) -> None:
        self._opening_sets = opening_sets
        if params.get("cursorclass") is None:
            params["cursorclass"] = Cursor
        super().__init__(**params)

    @property
    def closed(self) -> bool:
        """Whether the driver has closed its socket."""
        return self._sock is None

    def connect(self, sock: Any = None) -> None:
        """Connect; the greeting and authentication are bounded by ``connect_timeout`` too."""
        timeouts: Any = self._read_timeout, self._write_timeout
        self._read_timeout = self._write_timeout = self.connect_timeout
        try:
            super().connect(sock)
        except Exception as error:
            if _is_misreading(error) or self.user and _was_misread(error, _MISREAD_GREETING):
                text = f"Error in server handshake ({_told(error)})"
                raise self.OperationalError(HANDSHAKE_FAILED, text) from error
            raise
        finally:
            self._read_timeout, self._write_timeout = timeouts
        self._settle_in()
        self._set_after_init_command()

    @property
    def _sets_travel(self) -> bool:
        """Not where ``init_command`` comes after SET NAMES, which may set the same."""
        return not self.init_command

    def _set_after_init_command(self) -> None:
        """Set what Django sets on a new session where ``init_command`` might set it otherwise."""
        sets = self._opening_assignments() if self.init_command else ""
        if sets:
            self.run(f"SET {sets}")

    def _settle_in(self) -> None:
        self._opening_autocommit = self.autocommit_mode
        thread_id: Any = self.server_thread_id  # the driver keeps a tuple of one
        self._open_channel(
            self._sock.fileno(),
            thread_id[0],
            self.server_version,
            tls=isinstance(self._sock, ssl.SSLSocket),
        )

    def _take_in(self, opening_sets: OpeningSets) -> None:
        """Begin to guard a connection that was opened without."""
        self._opening_sets = opening_sets
        self._settle_in()
        self._opening_autocommit = True
        if self.cursorclass is StockCursor:
            self.cursorclass: Any = Cursor
        sets = self._opening_assignments()
        if sets:  # what it set before counts: names, and what init_command made of them
            self.run(f"SET {sets}")

    def status(self) -> int:
        """Return something that is the same as long as the flags of the answers are."""
        return self.server_status & _FLAGS

    def flags(self) -> tuple[bool, bool | None]:
        """Return what the flags of the last answer say: autocommit, and whether one is open."""
        status = self.server_status
        return bool(status & _AUTOCOMMIT), bool(status & _IN_TRANSACTION)

    # What the driver tells of the last command, unless that was another borrower's.

    def insert_id(self) -> Any:
        """Return the number that AUTO_INCREMENT gave to the last command."""
        return self.last_id if self.commands == self.lent_at else super().insert_id()

    def affected_rows(self) -> Any:
        """Return how many rows the last command touched, or found."""
        return self.last_count if self.commands == self.lent_at else super().affected_rows()

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL of our own; the rows of the last result that has rows."""
        given = self.decoders
        self.decoders = {**given, **NUMBERS}
        try:
            self.query(sql)
            rows = self._result.rows
            while self._result.has_next:
                self.next_result()
                rows = rows if self._result.rows is None else self._result.rows
            return list(rows or ())
        finally:
            self.decoders = given

    def _within(self, seconds: float, call: Callable[[], Any]) -> Any:
        timeouts = self._read_timeout, self._write_timeout
        self._read_timeout = self._write_timeout = seconds
        try:
            return call()
        except (self.Error, OSError):
            return NO_ANSWER
        finally:
            self._read_timeout, self._write_timeout = timeouts

    def _ping(self) -> None:
        self.ping(reconnect=False)

    def reset_session(self) -> bool:
        """Give the session back its state at connecting; False: it could not, close it."""
        if not self.db:
            return False
        try:
            self._execute_command(COM_RESET_CONNECTION, b"")
            self._read_ok_packet()
            self.select_db(self.db)
            self.set_character_set(self.charset, self.collation)
            for statement in (self.sql_mode and self._sql_mode_statement(), self.init_command):
                if statement:
                    self.run(statement)
            self._set_after_init_command()
            # Not the mode that the driver was told last: SQL may have set another one since.
            if self._opening_autocommit is not None:
                if self.flags()[1]:
                    self.store_what_was_begun()
                self.autocommit(self._opening_autocommit)
        except self.Error:
            return False
        return True

    @property
    def named_database(self) -> str:
        """The database that was named when it was opened or moved last."""
        name = self.db
        return name.decode() if isinstance(name, bytes) else str(name or "")

    def move_to(self, database: str) -> bool:
        """Make *database* the session's, now and after a reset; False: it could not, close it."""
        try:
            self.select_db(database)
        except self.Error:
            return False
        self.db = database
        return True

    def close(self) -> None:
        """Say goodbye and close; a busy connection is discarded instead. Never raises."""
        if self._inherited():
            self.park()
        elif self.busy:
            self.discard()
        if not self._closed:
            quietly(super().close)
        if self._opened:
            self.channel.close()

    def discard(self) -> None:
        """End it at once and without a word. Never raises, never waits."""
        self._closed = True
        if self._opened:
            self.channel.abort()
            self.channel.close()
        quietly(self._force_close)

    def park(self) -> None:
        """Cut a forked child off from the connection that it inherited."""
        self.channel.park()

    # The exchange: every command leaves through _execute_command or exchange().

    def exchange(self, data: bytes | bytearray) -> Any:
        """Send a statement, read its answer and return the first result."""
        # As `query` does by way of the methods below, in place: it runs for every statement.
        size = len(data) + 1
        if self.busy or self._sock is None or 0 < self.max_packet < size:
            self.query(data)  # finishes what is unread, or refuses
            return self._result
        self.last_size = size
        self.used_by = threading.get_ident()  # looked up, since gevent may patch it late
        self.commands += 1
        self._under_way = self.busy = True
        try:
            _send(self, COMMAND.COM_QUERY, data)
            self._result = None
            result = _Result(self)
            result.read()
        except Exception as error:
            self._ended_by(error)
            raise
        self._result = result
        if result.server_status is not None:
            self.server_status = result.server_status
        self._affected_rows = result.affected_rows
        self.busy = bool(result.has_next)
        self._under_way = False
        return result

    def _execute_command(self, command: int, sql: str | bytes) -> None:
        data = sql.encode(self.encoding) if isinstance(sql, str) else sql
        if self._sock is not None:
            self._finish_last_result()
            self._begin(len(data) + 1)
        try:
            super()._execute_command(command, data)
        except Exception as error:
            if self._is_torn(error):
                self._say_torn(error)
            raise

    def _finish_last_result(self) -> None:
        # As the driver does itself, but before the new exchange begins.
        result = self._result
        if self._under_way or result is None:
            return
        if result.unbuffered_active:
            warnings.warn("Previous unbuffered result was left incomplete", stacklevel=5)
            result._finish_unbuffered_query()
        while self._result is not None and self._result.has_next:
            self.next_result()

    def _answered(self, read: Callable[[], T]) -> T:
        """Read the answer; only its end, or a server's own error, ends the exchange."""
        try:
            answer = read()
        except Exception as error:
            self._ended_by(error)
            raise
        self._answer_ends()
        return answer

    def _ended_by(self, error: Exception) -> None:
        """Take in what came in place of an answer; what only says that it was none is a loss."""
        if isinstance(error, self.Error):
            if ends_exchange(error):
                self._answer_ends()
                return
            if self._lives_on(error):
                return
            self._note_loss(error)
            if _is_misreading(error):
                self._say_torn(error)
        elif self._is_torn(error) or _was_misread(error):
            self._say_torn(error)

    def _say_torn(self, error: Exception) -> None:
        """Raise a loss in the place of *error*."""
        self._force_close()
        raise self.OperationalError(
            SERVER_LOST, f"Lost connection to MySQL server during query ({_told(error)})"
        ) from error

    def _is_torn(self, error: Exception) -> bool:
        """Whether *error* only says that the socket is gone."""
        # Narrow: what a converter or a signal handler raises is the application's own.
        if isinstance(error, OSError):
            return error.errno in _NO_SOCKET_THERE
        if isinstance(error, AttributeError):
            return self._sock is None and error.name is not None and error.obj is None
        return isinstance(error, ValueError) and self._sock is None and "closed" in str(error)

    def _answer_ends(self) -> None:
        """One answer has been read; more of them, or rows, may follow."""
        result = self._result
        self.busy = result is not None and bool(result.unbuffered_active or result.has_next)
        self._under_way = False

    def _read_ok_packet(self) -> Any:
        return self._answered(super()._read_ok_packet)

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        self._result = None
        result = _Result(self)

        def read() -> Any:
            if unbuffered:
                result.init_unbuffered_query()
            else:
                result.read()
            # Before the exchange counts as ended: this result may say that more is to come.
            self._result = result
            if result.server_status is not None:
                self.server_status = result.server_status
            return result.affected_rows

        return self._answered(read)

    def next_result(self, unbuffered: bool = False) -> Any:
        """Read the next result of several."""
        if self._under_way:
            raise self._why_not()
        self._under_way = self.busy = True
        return super().next_result(unbuffered)

    def show_warnings(self) -> Any:
        """Return the rows of SHOW WARNINGS."""
        self._execute_command(COMMAND.COM_QUERY, "SHOW WARNINGS")
        result = MySQLResult(self)
        self._answered(result.read)
        return result.rows

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Set the session's character set, and at connecting the opening assignments."""
        encoding = charset_by_name(charset).encoding
        self._execute_command(COMMAND.COM_QUERY, self._set_names(charset, collation))
        self._read_ok_packet()
        self.charset = charset
        self.encoding = encoding
        self.collation = collation

    def _sql_mode_statement(self) -> str:
        return f"SET sql_mode={self.escape(self.sql_mode)}"

    def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
        if not isinstance(sslp, Mapping):
            return super()._create_ssl_ctx(sslp)
        # Building one reads the system's certificates, forty times the cost of connecting.
        # Gevent puts a class of its own in its place, and the two do not work on each other's
        # sockets: a parent may have connected before its children patch.
        key = (ssl.SSLContext, *sorted((name, str(value)) for name, value in sslp.items()))
        stamps = tuple(_stamp(sslp[name]) for name in sorted(sslp))
        known = _contexts.get(key)
        if known is None or known[0] != stamps:
            known = _contexts[key] = stamps, super()._create_ssl_ctx(sslp)
        return known[1]


class _Result(MySQLResult):
    """A result whose rows, when streamed, keep the connection busy while one is being read."""

    unbuffered_active: bool = False

    def _read_rowdata_packet_unbuffered(self) -> Any:
        connection = self.connection
        if connection is None or not self.unbuffered_active:
            return None
        if connection.closed:
            raise connection.InterfaceError(0, "")
        if connection._under_way:
            raise connection._why_not()
        connection._under_way = connection.busy = True
        return connection._answered(super()._read_rowdata_packet_unbuffered)

    def _finish_unbuffered_query(self) -> None:
        connection = self.connection
        if connection is None or not self.unbuffered_active:
            return
        if connection.closed or connection._under_way:
            # Torn in the middle of a row, what follows cannot be told apart.
            self.unbuffered_active = False
            connection._force_close()
            return
        connection._under_way = connection.busy = True
        connection._answered(super()._finish_unbuffered_query)


def _stamp(path: object) -> tuple[int, ...]:
    """Return what tells a file from its successor, nothing for what is no file."""
    try:
        found = os.stat(path) if isinstance(path, str) else None
    except (OSError, ValueError):
        found = None
    return () if found is None else (found.st_mtime_ns, found.st_ino, found.st_size)


def _is_misreading(error: Exception) -> bool:
    """Whether this error of the driver's says that what came was no answer.

    Such have no number, or while an answer is read that of commands out of step.
    """
    code = error.args[0] if error.args else None
    unnumbered = not isinstance(code, int) or code == COMMANDS_OUT_OF_SYNC
    return unnumbered and isinstance(error, StockConnection.Error)


def _was_misread(error: Exception, kinds: frozenset[type] = _MISREAD) -> bool:
    """Whether *error* arose in the driver's own code, as it took apart what came."""
    trace = error.__traceback__
    if type(error) not in kinds or trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame
    return frame.f_globals.get("__name__") in _READERS and frame.f_code.co_name != _CONVERTS


def _told(error: Exception) -> str:
    """Return what may be said of *error*: the text of some shows what was read."""
    safe = isinstance(error, StockConnection.Error | OSError)
    return str(error) if safe else type(error).__name__
