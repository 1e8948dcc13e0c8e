"""A server and a driver in the test's own process, with as much of either as a wrapper needs.

Real servers have the last word, in ``tests/server``. Here every single step of a wrapper can be
looked at, in no time.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import MySQLdb

from django_lifeline.backends.server import ServerFacts
from django_lifeline.core.drivers.base import (
    NO_ANSWER,
    Guarded,
    NotADriversConnection,
    ends_exchange,
)

MAX_PACKET = 4096
BEFORE_THE_PACKET = ("9.7.0", "", "InnoDB", 0, 0, 1, "NO_CHAIN", 1, 28800)
BEHIND_THE_PACKET = (28800, 28800, 60, 30, 0, 0, "here:3306", None)
FACTS = (*BEFORE_THE_PACKET, MAX_PACKET, *BEHIND_THE_PACKET, None, "", 151, 0, 0, 0)
ROLE = "SELECT variable_name"
"""How the question for a server's part begins."""
GONE = (2013, "Lost connection to MySQL server during query")


@dataclass(eq=False)
class ServerSession:
    """One session at the server."""

    number: int
    autocommit: bool = True
    open: bool = False
    pending: list[str] = field(default_factory=list)
    """Rows of the open transaction."""
    last_id: int = 0
    ears: socket.socket | None = None
    """The server's end of the socket; None once it has ended the session."""


@dataclass
class Answer:
    """What the server says to one statement."""

    rows: Sequence[tuple[Any, ...]] = ()
    row_count: int = 0
    last_id: int = 0


class FakeServer:
    """Keeps rows of ``INSERT <word>``, transactions, autocommit and ``LAST_INSERT_ID()``."""

    def __init__(self) -> None:
        self.sessions: list[ServerSession] = []
        self.stored: list[str] = []
        self.said: list[tuple[int, str]] = []
        """Every command, with the number of its session."""
        self.errors: dict[str, int] = {}
        """Statements that are answered with an error of this number."""
        self.ends: dict[str, int] = {}
        """Statements that end their session, and the number that the driver says then."""
        self.breaks_in: dict[str, BaseException] = {}
        """What breaks in while the answer to these statements is awaited."""
        self.max_packet = MAX_PACKET
        """The longest command that sessions which begin from now on may send."""
        self.role: list[tuple[str, object]] = []
        """What it says of its part after a refusal: names of variables and their values."""
        self.shuts_down = False
        """Asked for its part, it ends all sessions; after that it answers without `errors`."""
        self.proxy_numbers = 0
        """By how much the numbers that drivers are told differ from its own."""
        self.shows_transactions = False
        """Whether the driver shows the flag of an open transaction, as PyMySQL does."""

    def since(self, mark: int) -> list[str]:
        """The commands after the first *mark* of them."""
        return [sql for _, sql in self.said[mark:]]

    def kill(self, session: ServerSession) -> None:
        """End a session, and undo what is open in it."""
        if session.ears is not None:
            session.ears.close()
        session.ears = None
        session.pending.clear()

    def kill_all(self) -> None:
        """End all sessions."""
        for session in self.sessions:
            self.kill(session)

    def answer(self, session: ServerSession, sql: str) -> Answer:
        """Run one command; raises the driver's errors."""
        if session.ears is None:
            raise MySQLdb.OperationalError(*GONE)
        self.said.append((session.number, sql))
        if self.shuts_down and sql.startswith(ROLE):
            self.shuts_down = False
            self.errors.clear()
            self.kill_all()
            raise MySQLdb.OperationalError(*GONE)
        if sql in self.errors:
            self._failed(session, self.errors[sql])
        if sql in self.breaks_in:
            self._run(session, sql)
            raise self.breaks_in.pop(sql)
        lost = self.ends.pop(sql, None)
        if lost is not None:
            if lost == GONE[0]:  # then it did run
                self._run(session, sql)
            self.kill(session)
            raise MySQLdb.OperationalError(lost, "The session has ended.")
        return self._run(session, sql)

    def _failed(self, session: ServerSession, code: int) -> None:
        if code == 1213:  # a deadlock's victim is rolled back, and so is what BEGIN began
            session.pending.clear()
            session.open = False
        raise MySQLdb.OperationalError(code, "It failed.")

    def _run(self, session: ServerSession, sql: str) -> Answer:
        words = sql.upper().split()
        told = self._told(sql, session)
        if told is not None:
            return Answer(told)
        if words[0] in ("BEGIN", "START"):
            self._end(session, keep=True)
            session.open = True
        elif words[0] in ("COMMIT", "ROLLBACK") and "TO" not in words:
            self._end(session, keep=words[0] == "COMMIT")
        elif found := re.fullmatch(r"SET autocommit ?= ?([01])", sql):
            self._switch(session, found[1] == "1")
        elif words[0] == "INSERT":
            return self._insert(session, sql.split()[1])
        elif found := re.fullmatch(
            r"SELECT LAST_INSERT_ID\((\d*)\)(, ROW_COUNT\(\), FOUND_ROWS\(\))?", sql
        ):
            session.last_id = int(found[1] or session.last_id)
            return Answer([(session.last_id, -1, 1) if found[2] else (session.last_id,)])
        elif sql == "SELECT CONNECTION_ID()":
            return Answer([(session.number,)])
        return Answer([(1,)] if words[0] == "SELECT" else ())

    def _told(self, sql: str, session: ServerSession) -> list[tuple[Any, ...]] | None:
        """What it tells of itself; None: that is not asked."""
        if ServerFacts.QUERY in sql:
            told = (session.number, "", 151, 0)
            told += (0, 0) if "information_schema.triggers" in sql else ()
            return [(*BEFORE_THE_PACKET, self.max_packet, *BEHIND_THE_PACKET, *told)]
        if sql == "SELECT @@global.max_allowed_packet":
            return [(self.max_packet,)]
        if sql.startswith(ROLE):
            return [*self.role]
        if sql.startswith("SELECT CONCAT(@@hostname"):  # after a loss: it does not tell
            return []
        return None

    def _insert(self, session: ServerSession, row: str) -> Answer:
        inside = session.open or not session.autocommit
        (session.pending if inside else self.stored).append(row)
        session.last_id += 1
        return Answer((), 1, session.last_id)

    def _end(self, session: ServerSession, *, keep: bool) -> None:
        self.stored += session.pending if keep else []
        session.pending.clear()
        session.open = False

    def _switch(self, session: ServerSession, enabled: bool) -> None:
        if enabled and not session.autocommit:
            self._end(session, keep=True)
        session.autocommit = enabled


class FakeDriverConnection(Guarded):
    """A driver's connection over a socket on which nothing is said but the end."""

    Error = MySQLdb.Error
    OperationalError = MySQLdb.OperationalError
    encoding = "utf-8"
    reads_on = False

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self._here, there = socket.socketpair()
        self.server_session = ServerSession(len(server.sessions) + 1, ears=there)
        server.sessions.append(self.server_session)
        self.closed = False
        self.cursorclass: type = FakeCursor
        self.opened_at, self.opened_by = 0.0, ""
        told = self.server_session.number + server.proxy_numbers
        self._open_channel(self._here.fileno(), told, "9.7.0", tls=False)

    def insert_id(self) -> int:
        return self.last_id

    def affected_rows(self) -> int:
        return self.last_count

    def get_server_info(self) -> str:
        return "9.7.0"

    def cursor(self, *args: Any) -> Any:
        return self.cursorclass(self)

    def exchange(self, data: bytes) -> Answer:
        self._begin(len(data) + 1)
        try:
            answer = self.server.answer(self.server_session, data.decode())
        except MySQLdb.Error as error:
            if ends_exchange(error):
                self.busy = self._under_way = False
            elif not self._lives_on(error):
                self._note_loss(error)
            raise
        self.busy = self._under_way = False
        return answer

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self.exchange(sql.encode()).rows)

    def autocommit(self, on: bool) -> None:
        if self.server_session.autocommit != on:
            self.exchange(b"SET autocommit = %d" % on)

    def status(self) -> int:
        session = self.server_session
        return session.autocommit + 2 * (session.open and self.server.shows_transactions)

    def flags(self) -> tuple[bool, bool | None]:
        session = self.server_session
        return session.autocommit, session.open if self.server.shows_transactions else None

    def _within(self, seconds: float, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except MySQLdb.Error:
            return NO_ANSWER

    def _ping(self) -> None:
        self.run("DO 0")

    def reset_session(self) -> bool:
        self.server.said.append((self.server_session.number, "reset"))
        self.server._end(self.server_session, keep=False)
        self.server_session.last_id = 0
        return True

    def close(self) -> None:
        self._shut("quit")

    def discard(self) -> None:
        self._shut("cut")

    def _shut(self, how: str) -> None:
        if not self.closed:
            self.server.said.append((self.server_session.number, how))
        self.closed = True
        self.server.kill(self.server_session)
        self.channel.close()
        self._here.close()

    def park(self) -> None:
        self.channel.park()


class FakeCursor:
    """The driver's cursor."""

    description = None
    lastrowid: int | None = None
    rowcount = -1
    warning_count = 0

    def __init__(self, connection: FakeDriverConnection) -> None:
        self.connection: Any = connection
        self.rows: list[tuple[Any, ...]] = []
        self.closed = False
        self._executed: bytes | None = None

    def execute(self, query: str, args: Any = None) -> int:
        if self.closed:
            raise MySQLdb.ProgrammingError("cursor closed")
        text = query if args is None else query % tuple(args)
        answer = self.connection.exchange(text.encode())
        self._executed = text.encode()
        self.rows, self.rowcount = list(answer.rows), answer.row_count
        self.lastrowid = answer.last_id
        return self.rowcount

    def executemany(self, query: str, args: Iterable[Any]) -> int:
        return sum(self.execute(query, row) for row in args)

    def callproc(self, name: str, args: Any = ()) -> Any:
        self.execute(f"CALL {name}()")
        return args

    def fetchone(self) -> Any:
        return self.rows.pop(0) if self.rows else None

    def fetchall(self) -> Any:
        rows, self.rows = tuple(self.rows), []
        return rows

    def nextset(self) -> Any:
        return None

    def close(self) -> None:
        self.rows, self.closed = [], True


def driver(server: FakeServer) -> Any:
    """What stands for ``core.drivers.mysqlclient``."""

    def connect(params: Mapping[str, Any], *, tcp: object = None) -> FakeDriverConnection:
        return FakeDriverConnection(server)

    def adopt(visible: Any, params: Mapping[str, Any], *, opening_sets: object = "") -> Any:
        if not isinstance(visible, FakeDriverConnection):
            raise NotADriversConnection
        return visible

    return SimpleNamespace(connect=connect, adopt=adopt)
