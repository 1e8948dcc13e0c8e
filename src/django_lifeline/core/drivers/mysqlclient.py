"""mysqlclient's connection with liveness, exchange state, and one round trip to open it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import MySQLdb
from MySQLdb import _mysql, cursors
from MySQLdb.connections import Connection as StockConnection
from MySQLdb.connections import _charset_to_encoding
from MySQLdb.constants import CLIENT
from MySQLdb.cursors import Cursor as StockCursor

from django_lifeline.core.drivers.base import (
    NO_ANSWER,
    NUMBERS,
    Batches,
    Guarded,
    OpeningSets,
    classes_in,
    ends_exchange,
    genuine,
    quietly,
)

T = TypeVar("T")

_wire = _mysql.connection
_insert_id, _affected_rows = _wire.insert_id, _wire.affected_rows
_warning_count = _wire.warning_count
_TELLS_MORE = hasattr(_wire, "more_results")


class Cursor(Batches, StockCursor):
    """mysqlclient's own cursor, which does the steps of a common statement in one place."""

    def __init__(self, connection: Any) -> None:
        if StockCursor.__init__ is not _INIT:
            super().__init__(connection)
        self.connection = connection

    def execute(self, query: Any, args: Any = None) -> Any:
        """Run one statement, as the driver does; it takes nine calls of Python for it."""
        connection = self.connection
        if (
            connection is None
            or connection.busy
            or self._result is not None
            or StockCursor.execute is not _EXECUTE
        ):
            return super().execute(query, args)
        if args is not None:
            query = self._mogrify(query, args)
        elif isinstance(query, str):
            query = query.encode(connection.encoding)
        elif not isinstance(query, bytes | bytearray):
            return super().execute(query, args)  # which says so
        self._rows = None
        try:
            result = connection.exchange(query)
        except BaseException:
            self._has_no_answer()
            raise
        if result is None:
            self.description = self.description_flags = None
            connection.last_id = _insert_id(connection)
        else:
            self.description = result.describe()
            self.description_flags = result.field_flags()
        self.warning_count = _warning_count(connection)
        rowcount = self.rowcount = _affected_rows(connection)
        self.rownumber = 0
        self.lastrowid = connection.last_id
        self._rows = () if result is None else result.fetch_row(0, self._fetch_type)
        self._executed = query
        return rowcount

    def _has_no_answer(self: Any) -> None:
        """Be as the driver's own is when its statement was sent and not answered."""
        self.description = self.description_flags = self._rows = self.rownumber = None
        self.rowcount = self.lastrowid = None
        self.warning_count = 0

    def _do_get_result(self, db: Any) -> None:
        super()._do_get_result(db)
        self.lastrowid = db.id_after(self._result)


_INIT = genuine(StockCursor.__init__, "MySQLdb.cursors")
_EXECUTE = genuine(StockCursor.execute, "MySQLdb.cursors")
"""The driver's own; somebody who replaced it gets his called."""
if _INIT is not None:
    for _name, _value in vars(StockCursor(None)).items():
        setattr(Cursor, _name, _value)  # what a new one has, once for all of them

OWN_CURSORS = classes_in(cursors) | {Cursor}
"""Classes of cursors that ask their connection nothing once they have their rows."""


class Connection(Guarded, StockConnection):
    """A mysqlclient connection that knows whether it is alive and busy."""

    default_cursor = Cursor
    reads_on = False
    converter: dict[int, Any]
    _many: bool = False
    """Whether the statement may have several results (mysqlclient 2.2 cannot tell)."""
    _stream: weakref.ref[_Stream] | None = None
    """The result that is being read row by row."""

    def __init__(self, *, opening_sets: OpeningSets = "", **params: Any) -> None:
        self._opening_sets = opening_sets
        self._params = params
        # Not the bound method, which would make a cycle: a connection whose opener was broken off
        # must go with its last reference.
        self._doors = [None]
        super().__init__(**params)
        self._settle_in(params)

    def _settle_in(self, params: Mapping[str, Any]) -> None:
        self._collation = params.get("collation") or None
        self._open_channel(
            _wire.fileno(self),
            _wire.thread_id(self),
            self.get_server_info(),
            tls=_may_encrypt(params),
        )

    def _take_in(self, params: Mapping[str, Any], opening_sets: OpeningSets) -> None:
        """Begin to guard a connection that was opened without."""
        self._opening_sets = opening_sets
        self._params = dict(params)
        self._doors = [None]
        self._settle_in(params)
        if self.cursorclass is StockCursor:
            self.cursorclass: Any = Cursor
        self._adopted()
        if opening_sets:
            self.run(self._set_names(self._charset(), self._collation))

    def _adopted(self) -> None:
        """Begin as a connection of this class does."""

    def _charset(self) -> str:
        charset: str = self._params.get("charset") or self.character_set_name()
        return charset

    status = _wire.get_autocommit

    def id_after(self, result: Any) -> int:
        """Return the number that AUTO_INCREMENT gave last, to the present borrower.

        After a statement with rows the library still tells the one before, whose ever it was.
        """
        if result is None:
            self.last_id = _insert_id(self)
        return self.last_id

    # What the library tells of the last command, unless that was another borrower's.

    def insert_id(self) -> int:
        """Return the number that AUTO_INCREMENT gave to the last command."""
        # After rows, or an error, the library goes on with a number that may be another's.
        none = self.commands == self.lent_at or self.field_count() or self.errno()
        return self.last_id if none else _insert_id(self)

    def affected_rows(self) -> int:
        """Return how many rows the last command touched, or found."""
        return self.last_count if self.commands == self.lent_at else _affected_rows(self)

    def warning_count(self) -> int:
        """Return how many warnings the last command was answered with."""
        return 0 if self.commands == self.lent_at else _warning_count(self)

    def info(self) -> str | None:
        """Return what the server said of the last command."""
        return None if self.commands == self.lent_at else _wire.info(self)

    def flags(self) -> tuple[bool, bool | None]:
        """Return what the flags of the last answer say of autocommit; the rest is not shown."""
        return bool(self.get_autocommit()), None

    def __del__(self) -> None:
        # The C deallocator says COM_QUIT, from a forked child on its parent's connection.
        if self._inherited():
            self.park()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.server_thread_id} at {id(self):#x}>"

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL of our own, several statements too; the rows of the last that has rows."""
        given = self.converter
        self.converter = {**(given or {}), **NUMBERS}  # a closed one has none
        try:
            self.query(sql)
            rows: list[tuple[Any, ...]] = []
            while True:
                result = self.store_result()
                if result is not None:
                    rows = list(result.fetch_row(0))
                if self.next_result() == -1:
                    return rows
        finally:
            self.converter = given

    def _within(self, seconds: float, call: Callable[[], Any]) -> Any:
        """As the base says. The library has no timeout for one call: a thread ends the wait."""
        watchdog = threading.Timer(seconds, self.channel.shutdown)
        watchdog.daemon = True
        try:
            watchdog.start()
            try:
                answer = call()
            finally:
                watchdog.cancel()
                watchdog.join()
        except (self.Error, RuntimeError):
            return NO_ANSWER
        return answer if self.channel.silent() else NO_ANSWER

    def _ping(self) -> None:
        self.ping()

    def reset_session(self) -> bool:
        """Give the session back its state at connecting; False: it could not, close it."""
        if self.latest_credentials is not None:
            # The server asks for the password again, and the old one may be over.
            latest = self.latest_credentials()
            if latest is None:
                return False
            self._params = latest.put_into(self._params)
        user, password, database = (
            self._params.get(name) or self._params.get(alias)
            for name, alias in (("user", "user"), ("password", "passwd"), ("database", "db"))
        )
        # The library reads an option file as it connects, with what may be set by it.
        read = any(self._params.get(name) for name in ("read_default_file", "read_default_group"))
        if read or not user or not database:
            return False
        try:
            self.change_user(user, password or "", database)
            self._open_session(self._charset())
        except self.Error:
            return False
        return True

    @property
    def named_database(self) -> str:
        """The database that was named when it was opened or moved last."""
        return str(self._params.get("database") or self._params.get("db") or "")

    def move_to(self, database: str) -> bool:
        """Make *database* the session's, now and after a reset; False: it could not, close it."""
        try:
            self.select_db(database)
        except self.Error:
            return False
        self._params = {**self._params, "database": database, "db": ""}
        return True

    def close(self) -> None:
        """Say goodbye and close; a busy connection is discarded instead. Never raises."""
        if self._inherited():
            self.park()
        elif self.busy:
            self.discard()
        self._shut()

    def discard(self) -> None:
        """End it at once and without a word. Never raises, never waits."""
        if self._inherited():
            self.park()
        if self._opened:
            self.channel.abort()
        self._shut()

    def park(self) -> None:
        """Cut a forked child off from the connection that it inherited."""
        self.channel.park()

    def _shut(self) -> None:
        # After an abort the library's COM_QUIT fails at once. Whoever takes the door closes.
        if self._doors:
            self._doors.pop()
            quietly(super().close)
        if self._opened:
            self.channel.close()

    # The exchange.

    def exchange(self, query: bytes | bytearray) -> Any:
        """Send a statement, read its answer and return the first result, None without rows."""
        # As `query` and `store_result`, in place: this runs for every statement of Django's.
        data = query if type(query) is bytes else bytes(query)
        size = len(data) + 1
        if self.busy and self._has_unread() or 0 < self.max_packet < size:
            self._begin(size)  # raises
        self.last_size = size
        self.used_by = threading.get_ident()  # looked up, since gevent may patch it late
        self.commands += 1
        self._under_way = self.busy = True
        if not _TELLS_MORE:
            self._many = _may_have_many(data)
        try:
            self._ask(data)
            result = self._store()
            unread = self._more()
        except self.Error as error:
            self._ended_by(error)
            raise
        self.busy = unread
        self._under_way = False
        return result

    def query(self, query: str | bytes | bytearray) -> None:
        """Send a statement and read the head of its answer."""
        data = _encoded(query)
        self._begin(len(data) + 1)
        self._many = _may_have_many(data)
        self._step(self._has_rows, self._ask, data)

    def send_query(self, query: str | bytes | bytearray) -> None:
        """Send a statement; `read_query_result` reads the head of its answer."""
        data = _encoded(query)
        self._begin(len(data) + 1)
        self._many = _may_have_many(data)
        self._blocking(_wire.send_query, self, data)

    def read_query_result(self) -> None:
        """Read the head of the answer to what `send_query` sent."""
        self._step(self._has_rows, self._blocking, _wire.read_query_result, self)

    def store_result(self) -> Any:
        """Read the rows and return the result, None where there are none."""
        if not self._has_unread():
            return None
        return self._go_on(self._has_more, _wire.store_result, self)

    def discard_result(self) -> None:
        """Read the rows and drop them."""
        self._go_on(self._has_more, _wire.discard_result, self)

    def use_result(self) -> Any:
        """Return the result with its rows still at the server, None where there are none."""
        result = self._go_on(
            lambda result: result is not None or self._has_more(), _wire.use_result, self
        )
        if result is None:
            return None
        stream = _Stream(self, result)
        self._stream = weakref.ref(stream)
        return stream

    def next_result(self) -> int:
        """Go on to the next result: 0, or -1 where there is none."""
        if not self._has_unread():
            return -1
        return self._go_on(lambda found: found == 0 and self._has_rows(), _wire.next_result, self)

    def autocommit(self, on: bool) -> None:
        """Set autocommit, unless the session is in that mode already."""
        if self.get_autocommit() != bool(on):
            self._command(_wire.autocommit, bool(on))

    def ping(self, *args: Any) -> None:
        """Ask the server for a sign of life; no bound but the driver's own timeouts."""
        self._command(_wire.ping, *args)

    def select_db(self, db: str) -> None:
        """Change the current database."""
        self._command(_wire.select_db, db)

    def change_user(self, *args: Any, **kwargs: Any) -> None:
        """Authenticate anew, which gives a fresh session."""
        self._command(_wire.change_user, *args, **kwargs)

    def kill(self, thread_id: int) -> None:
        """End another session."""
        self._command(_wire.kill, thread_id)

    def stat(self) -> str:
        """Return the server's short status."""
        return self._command(_wire.stat)

    def dump_debug_info(self) -> None:
        """Let the server write its state to its log."""
        self._command(_wire.dump_debug_info)

    def set_server_option(self, option: int) -> int:
        """Switch multi-statements on or off."""
        return self._command(_wire.set_server_option, option)

    def shutdown(self) -> None:
        """Ask the server to shut down."""
        self._command(_wire.shutdown)

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Set the session's character set, and at connecting the opening assignments."""
        if self._opened or self._params.get("charset") != charset:
            self._command(lambda _: super(Connection, self).set_character_set(charset))
            if not (collation or self._opening_sets):
                return
        else:
            # The library was told the charset with its options; the server is told below.
            self.encoding = _encoding(charset)
        self.run(self._set_names(charset, collation))

    def _open_session(self, charset: str) -> None:
        """Do what connecting does after authentication, in its order."""
        sql_mode, init = self._params.get("sql_mode"), self._params.get("init_command")
        if init:
            self.run(init)
        self.run(self._set_names(charset, self._collation))
        if sql_mode:
            self.set_sql_mode(sql_mode)
        autocommit = self._params.get("autocommit", False)
        if autocommit is not None:
            if init:
                self.store_what_was_begun()
            self.autocommit(autocommit)

    _ask = _wire.query
    """Send a statement and read the head of its answer; the library's own, no frame between."""
    _store = _wire.store_result
    """Read the rows of a result."""

    def _blocking(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Make a call of the library that may wait for the server."""
        return call(*args, **kwargs)

    def _command(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        self._begin(1)
        self._many = False
        return self._step(self._has_more, self._blocking, call, self, *args, **kwargs)

    def _begin(self, size: int) -> None:
        self._has_unread()
        super()._begin(size)

    def _has_unread(self) -> bool:
        """Whether an answer is unread; the rest of a result that was dropped the library read."""
        stream = self._stream
        if stream is not None and stream() is None and not (self._under_way or self.closed):
            self._stream = None
            self.busy = self._has_more()
        return self.busy

    def _go_on(self, rest: Callable[..., bool], call: Callable[..., T], *args: Any) -> T:
        """Read on, unless a result is being read row by row: the library would refuse.

        Its refusal stays with it, and the rows that are left would seem to end in an error.
        """
        if self._stream is not None:
            raise self._why_not()
        return self._resume(rest, call, *args)

    def _resume(self, rest: Callable[..., bool], call: Callable[..., T], *args: Any) -> T:
        """Read on in an answer, unless something broke into the reading before."""
        if self._under_way:
            raise self._why_not()
        self._under_way = self.busy = True
        return self._step(rest, self._blocking, call, *args)

    def _step(
        self, rest: Callable[..., bool], call: Callable[..., T], *args: Any, **kwargs: Any
    ) -> T:
        """Make one call of the library; ``rest`` says of its answer whether more is to be read.

        Only a return, or a server's own error, ends the exchange.
        """
        try:
            answer = call(*args, **kwargs)
            unread = rest(answer)
        except self.Error as error:
            self._ended_by(error)
            raise
        self.busy = unread
        self._under_way = False
        return answer

    def _ended_by(self, error: Exception) -> None:
        if ends_exchange(error):
            self.busy = self._under_way = False
        elif not self._lives_on(error):
            self._note_loss(error)

    def _has_rows(self, answer: object = None) -> bool:
        return self.field_count() > 0 or self._has_more()

    def _has_more(self, answer: object = None) -> bool:
        return bool(self._more())

    if _TELLS_MORE:
        _more = _wire.more_results
    else:

        def _more(self) -> bool:
            return self._many


def _encoded(query: str | bytes | bytearray) -> bytes:
    return query.encode() if isinstance(query, str) else bytes(query)


def _may_have_many(statement: bytes) -> bool:
    return b";" in statement or statement[:4].upper() == b"CALL"


class _Stream:
    """A result whose rows are read one after the other; the connection is busy meanwhile."""

    def __init__(self, connection: Connection, result: Any) -> None:
        self._connection = connection
        self._result = result
        self._ended = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result, name)

    def fetch_row(self, maxrows: int = 1, how: int = 0) -> Any:
        """Return up to ``maxrows`` rows, 0 for all."""

        def rest(rows: tuple[object, ...]) -> bool:
            return 0 < maxrows == len(rows) or self._ends()

        return self._read(rest, self._result.fetch_row, maxrows, how)

    def discard(self) -> None:
        """Read the remaining rows and drop them."""
        self._read(lambda answer: self._ends(), self._result.discard)

    def _ends(self) -> bool:
        """Take in that all rows were read; return whether another result follows."""
        self._ended = True
        self._connection._stream = None
        return self._connection._has_more()

    def _read(self, rest: Callable[..., bool], call: Callable[..., T], *args: Any) -> T:
        if self._ended:
            return call(*args)
        try:
            return self._connection._resume(rest, call, *args)
        finally:
            if not self._connection.busy:  # also where the server ended it with an error
                self._ended = True
                self._connection._stream = None


def _encoding(charset: str) -> str:
    return str(_charset_to_encoding.get(charset, charset))


def _may_encrypt(params: Mapping[str, Any]) -> bool:
    # Libmariadb before 3.4 encrypts only when told to; MySQL's own library whenever it can.
    version = tuple(int(part) for part in MySQLdb.get_client_info().split(".")[:2])
    if not (3, 0) <= version < (3, 4) or params.get("client_flag", 0) & CLIENT.SSL:
        return True
    told = ("ssl", "ssl_mode", "read_default_file", "read_default_group")
    return any(params.get(name) for name in told)
