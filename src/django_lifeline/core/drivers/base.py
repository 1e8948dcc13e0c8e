"""What both drivers' connections have in common: how alive they are, and how busy."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any, Protocol

from django_lifeline.core.classification import LAST_WORDS, verdict
from django_lifeline.core.classification import Connection as Fate
from django_lifeline.core.credentials import Credentials
from django_lifeline.core.liveness import Channel, Sight, SightKind, TcpOptions
from django_lifeline.core.session import Session
from django_lifeline.exceptions import NET_PACKET_TOO_LARGE, PacketTooLarge

OpeningSets = str | Callable[[str], str]
"""Assignments that travel with SET NAMES, or what makes them of the server's version."""

HANDSHAKE_FAILED = 2012
COMMANDS_OUT_OF_SYNC = 2014
SERVER_GONE = 2006
SERVER_LOST = 2013

_CLOSES_WITHIN = 20
"""Milliseconds in which a server that means its last words ends the connection after them."""

NO_ANSWER = object()

NUMBERS: Mapping[int, Callable[[Any], Any]] = {
    **dict.fromkeys((1, 2, 3, 8, 9), int),  # TINY, SHORT, LONG, LONGLONG, INT24
    **dict.fromkeys((4, 5), float),
}
"""How numbers are read in answers to ourselves, by type, whatever ``conv`` the application has."""


class DriverConnection(Protocol):
    """A driver's own connection with what the pool needs on top of it."""

    busy: Any
    """True from before a command is sent until the whole answer has been read.

    An exchange that anything broke into leaves it True for ever: discard the connection.
    """
    reads_on: bool
    """Whether the driver reads what is left of an answer before it sends the next command."""
    broken: Any
    """True once something broke into an exchange; it stays so, and the connection with it."""
    closed: Any
    """True once the driver has closed it."""
    opened_at: float
    """Monotonic seconds; set by whoever opened it."""
    opened_by: str
    """The thread or greenlet that opened it; set by whoever opened it."""
    session: Session
    """What is open and what is left behind in it; told and asked by the engine."""
    facts: Any
    """What the server said of itself when it was opened; set by whoever opened it."""
    visible: Any
    """What applications get: the connection itself, or what a monitoring tool put round it."""
    keepsake: Any
    """What the last borrower may still ask about his last statement; set by the engine."""
    last_id: int
    """The number that AUTO_INCREMENT gave last; the engine sets it to 0 for each borrower."""
    last_count: int
    """How many rows the borrower's last statement touched, if that was on another connection."""
    lent_at: int
    """How many commands had been sent when the borrower got it: what the driver knows of the last
    one is somebody else's until then."""
    commands: int
    """How many commands were sent, by whomever."""
    Error: type[Exception]
    """What all errors of the driver are."""
    named_database: str
    """The database that was named when it was opened or moved last."""
    likeness: Any
    """What a session must be like to take its place; set by whoever opened it, None: none can."""
    latest_credentials: Callable[[], Credentials | None] | None
    """What gives the newest credentials, to log in again with; set by whoever opened it."""
    ended_for: str
    """Why the engine itself ended it, where that is a cause of the catalogue."""
    loss_told: bool
    """Whether its loss was diagnosed already; set by the engine."""
    used_by: int
    """The thread or greenlet (``threading.get_ident``) that sent the last command; 0 for none."""
    channel: Channel
    """The socket below."""
    fd: int
    """The driver's descriptor."""
    server_thread_id: int
    """The session's number in the greeting: the server's, and what KILL takes, or a proxy's."""
    numbered_by_proxy: bool
    """Whether the server has another number for it; set by whoever opened it."""
    session_number: int
    """The server's number of the session; 0 where only a proxy's is known."""
    server_version: str
    """As the server told it at connecting, such as ``10.11.19-MariaDB``."""
    max_packet: int
    """The longest command in bytes; a longer one raises `PacketTooLarge` unsent. 0: no limit."""
    last_size: int
    """The length of the last command in bytes."""
    lost: bool
    """Whether an exchange was broken off by a loss."""
    last_sight: Sight | None
    """What the last look at a readable socket found."""
    ping_timeout: float
    """How many seconds `alive` waits for the ping it needs where TLS data is waiting."""

    def alive(self) -> bool:
        """Return whether a statement may be sent; a busy connection is not looked at."""

    def status(self) -> int:
        """Return something that is the same as long as the flags of the answers are."""

    def flags(self) -> tuple[bool, bool | None]:
        """Return what the flags of the last answer say: autocommit, and whether one is open.

        None where the driver does not show the latter. No round trip.
        """

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL of our own; the rows of the last result that has rows."""

    def ping_within(self, seconds: float) -> bool:
        """Ask the server; False after an error or too long a silence: then discard it."""

    def run_within(self, sql: str, seconds: float) -> list[tuple[Any, ...]] | None:
        """As `run`; None after an error or too long a silence: then discard it."""

    def insert_id(self) -> Any:
        """Return the number that AUTO_INCREMENT gave to the last command."""

    def affected_rows(self) -> Any:
        """Return how many rows the last command touched, or found."""

    def set_for_good(self, assignment: str) -> None:
        """Set a variable of the session, now and again whenever it is reset."""

    def reset_session(self) -> bool:
        """Give the session back its state at connecting; False: it could not, close it."""

    def move_to(self, database: str) -> bool:
        """Make *database* the session's, now and after a reset; False: it could not, close it."""

    def close(self) -> None:
        """Say goodbye and close; a busy connection is discarded instead. Never raises."""

    def discard(self) -> None:
        """End it at once and without a word. Never raises, never waits."""

    def as_set_up(self) -> list[Any]:
        """Return what an application may have set in the driver's object itself, to compare."""

    def hang_up(self, *, at_rest: bool = False) -> None:
        """Let the server see the end. Any thread may; never raises, never waits, frees nothing.

        With ``at_rest`` nobody uses it: it is closed, which waits for no answer either.
        """

    def park(self) -> None:
        """Cut a forked child off from the connection that it inherited."""

    def serve_several(self, several: bool) -> None:
        """Let one greenlet after the other use it, none while another's statement runs; or not."""

    cursorclass: Any
    """The driver's class of cursors."""

    def cursor(self, *args: Any) -> Any:
        """Return a cursor of the driver."""

    def exchange(self, data: bytes) -> Any:
        """Send a statement, read its answer and return the first result."""

    def autocommit(self, on: bool) -> None:
        """Set autocommit, unless the session is in that mode already."""

    def store_what_was_begun(self) -> None:
        """Commit what is open, in stock Django's way on a new session; autocommit is on then."""

    def commit(self) -> None:
        """Commit."""

    def rollback(self) -> None:
        """Roll back."""


class Connect(Protocol):
    """What each driver's module offers as ``connect``."""

    def __call__(self, params: Mapping[str, Any], *, tcp: TcpOptions = ...) -> DriverConnection:
        """Connect with the driver's parameters; raises the driver's ``OperationalError``."""


class NotADriversConnection(TypeError):
    """What was given for a connection is none of the driver's, nor does it wrap one."""


_SETTABLE = (
    *("cursorclass", "encoders", "decoders", "converter", "use_unicode"),
    *("_read_timeout", "_write_timeout"),
)


class Guarded:
    """Mixed into the driver's connection class: liveness, exchange state, packet guard.

    ``_under_way`` is set before the first byte is sent and cleared only by a complete answer,
    so that an exception from nowhere (a signal handler, a killed greenlet) leaves it set. It is set
    before ``busy`` and cleared after it: what breaks in between the two finds an exchange that has
    not begun, or is over.
    """

    channel: Channel
    fd: int
    closed: Any
    server_thread_id: int
    server_version: str
    max_packet: int = 0
    last_size: int = 0
    last_sight: Sight | None = None
    ping_timeout: float = 5.0
    likeness: Any = None
    latest_credentials: Callable[[], Credentials | None] | None = None
    ended_for: str = ""
    loss_told: bool = False
    used_by: int = 0
    commands: int = 0
    session: Session
    facts: Any = None
    keepsake: Any = None
    last_id: int = 0
    last_count: int = 0
    lent_at: int = -1
    numbered_by_proxy: bool = False
    _proxy: Any = None

    Error: type[Exception]
    OperationalError: type[Exception]
    ProgrammingError: type[Exception]
    get_server_info: Callable[[], str]
    autocommit: Callable[[bool], None]
    close: Callable[[], None]

    busy: bool = False
    """Whether an answer is still to be read, wholly or in part."""
    _under_way: bool = False
    _asked_back: bool = False
    """Whether it is asked at this moment whether its last words were its own."""
    lost: bool = False
    """Whether the exchange that is under way for ever was broken off by a loss."""
    _opened: bool = False
    _opening_sets: str | Callable[[str], str] = ""
    _opening_statements: tuple[str, ...] = ()
    _pid: int = 0

    @property
    def broken(self) -> bool:
        """Whether something broke into an exchange: the connection can only be discarded."""
        return self._under_way and self.busy

    @property
    def session_number(self) -> int:
        """The server's number of the session; 0 where only a proxy's is known.

        A proxy that has numbers of its own may lead each statement to another session.
        """
        return 0 if self.numbered_by_proxy else self.server_thread_id

    @property
    def visible(self) -> Any:
        """What applications get: the connection itself, or what a tool put round it."""
        return self if self._proxy is None else self._proxy

    @visible.setter
    def visible(self, proxy: Any) -> None:
        # Not itself, which would make a cycle of it.
        self._proxy = None if proxy is self else proxy

    def exchange(self, data: bytes) -> Any:
        """Send a statement, read its answer and return the first result."""
        raise NotImplementedError

    def store_what_was_begun(self) -> None:
        """Commit what is open, in stock Django's way on a new session; autocommit is on then."""
        self.autocommit(False)  # and not COMMIT, after which completion_type may begin another
        self.autocommit(True)

    def commit(self) -> None:
        """Commit."""
        self.exchange(b"COMMIT")

    def rollback(self) -> None:
        """Roll back."""
        self.exchange(b"ROLLBACK")

    def alive(self) -> bool:
        """Return whether a statement may be sent; a busy connection is not looked at."""
        if self.closed:
            self.last_sight = None  # it is not the other side's end that is seen
            return False
        return self.busy or not self.channel.poll(0) or self._survives_a_look()

    def as_set_up(self) -> list[Any]:
        """Return what an application may have set in the driver's object itself."""
        values = (getattr(self, name, None) for name in _SETTABLE)
        return [dict(value) if type(value) is dict else value for value in values]

    def serve_several(self, several: bool) -> None:
        """Nothing: what waits for this driver's answers is up to it."""

    def hang_up(self, *, at_rest: bool = False) -> None:
        """Let the server see the end. Any thread may; never raises, never waits, frees nothing.

        With ``at_rest`` nobody uses it: it is closed, which waits for no answer either.
        """
        if at_rest:
            self.close()
        elif self._opened:
            self.channel.shutdown()

    def fileno(self) -> int:
        """Return the descriptor, also while another thread uses the connection."""
        return self.fd

    def thread_id(self) -> int:
        """Return the server's id of this session, also while another thread uses it."""
        return self.server_thread_id

    def ping_within(self, seconds: float) -> bool:
        """Ask the server; False after an error or too long a silence: then discard it."""
        answered = self._within(seconds, self._ping) is not NO_ANSWER
        if answered:
            self.commands -= 1  # it did nothing to the session, so nobody need know
        return answered

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL of our own; the rows of the last result that has rows."""
        raise NotImplementedError

    def run_within(self, sql: str, seconds: float) -> list[tuple[Any, ...]] | None:
        """As `run`; None after an error or too long a silence: then discard it."""
        rows: list[tuple[Any, ...]] | None = self._within(seconds, lambda: self.run(sql))
        return None if rows is NO_ANSWER else rows

    def set_for_good(self, assignment: str) -> None:
        """Set a variable of the session, now and again whenever it is reset."""
        before = self._opening_assignments()
        self._opening_sets = f"{before}, {assignment}" if before else assignment
        self.run(f"SET {assignment}")

    def _within(self, seconds: float, call: Callable[[], Any]) -> Any:
        """Return what *call* returns, `NO_ANSWER` after an error or ``seconds`` of waiting."""
        raise NotImplementedError

    def _ping(self) -> None:
        raise NotImplementedError

    def _survives_a_look(self) -> bool:
        self.last_sight = sight = self.channel.look()
        if sight.kind is SightKind.SILENT:
            return True
        # A late TLS session ticket is readable too; only the server can tell.
        return sight.encrypted and sight.kind is SightKind.DATA and self._answers_ping()

    def _answers_ping(self) -> bool:
        return self.ping_within(self.ping_timeout)

    def _open_channel(self, fd: int, thread_id: int, version: str, *, tls: bool) -> None:
        self.fd = fd
        self.server_thread_id = thread_id
        self.server_version = _plain_version(version)
        self.channel = Channel(fd, tls=tls)
        self._pid = os.getpid()
        self.session = Session()
        self._opened = True

    def _begin(self, size: int) -> None:
        """Start a command of ``size`` bytes, or raise before anything is sent."""
        if self.busy:
            raise self._why_not()
        if 0 < self.max_packet < size:
            error = PacketTooLarge(
                NET_PACKET_TOO_LARGE,
                f"The statement is {size} bytes long, the server takes {self.max_packet} "
                "(max_allowed_packet). It was not sent. Send less at a time, or raise the "
                "server's max_allowed_packet.",
            )
            error.size, error.limit = size, self.max_packet
            raise error
        self.last_size = size
        self.used_by = threading.get_ident()
        self.commands += 1
        self._under_way = self.busy = True

    def _note_loss(self, error: Exception) -> None:
        """Remember that the server is gone, for whoever goes on using the connection."""
        code = error.args[0] if error.args else None
        self.lost = self.lost or verdict(code).connection is Fate.DEAD

    def _lives_on(self, error: Exception) -> bool:
        """Whether the session goes on after the server's last words, which were not its own then.

        A procedure can make it say them, or another server that it asked itself, and MariaDB has
        one of these numbers for something else. Who means them closes the connection with them.
        """
        code = error.args[0] if error.args else None
        if code not in LAST_WORDS or self._asked_back or not self._opened:
            return False  # nor is anything lost by it while it is being opened
        if self.channel.poll(_CLOSES_WITHIN):
            return False
        self._asked_back = True
        commands, size = self.commands, self.last_size
        try:
            self.busy = self._under_way = False
            lives = self.ping_within(self.ping_timeout)
        finally:
            self._asked_back = False
            self.commands, self.last_size = commands, size
        self.busy = self._under_way = not lives
        return lives

    def _why_not(self) -> Exception:
        """Return why no command can be sent: the connection was lost, or an answer is unread."""
        if self.lost:
            return self.OperationalError(SERVER_GONE, "MySQL server has gone away")
        # The class that mysqlclient gives it; PyMySQL reads the rest by itself.
        return self.ProgrammingError(
            COMMANDS_OUT_OF_SYNC,
            "Commands out of sync: the answer to another statement has not been read",
        )

    def _inherited(self) -> bool:
        return self._opened and os.getpid() != self._pid

    def _set_names(self, charset: str, collation: str | None) -> str:
        """Return the one statement that opens a session, our own assignments included."""
        names = f"SET NAMES {charset}" + (f" COLLATE {collation}" if collation else "")
        sets = self._opening_assignments() if self._sets_travel else ""
        return f"{names}, {sets}" if sets else names

    @property
    def _sets_travel(self) -> bool:
        """Whether the opening assignments go with SET NAMES."""
        return True

    def _opening_assignments(self) -> str:
        sets = self._opening_sets
        return sets(_plain_version(self.get_server_info())) if callable(sets) else sets


def adopted_class(kind: type, guarded: type, stock: type) -> type:
    """Return a class that is *guarded*, and whatever else *kind* is beyond the *stock* driver's.

    To give it to a connection that somebody else has made makes that one of ours: proxies that
    monitoring tools put round it stay where they are.
    """
    if kind is stock:
        return guarded
    name = f"Adopted{kind.__name__}"
    known: type | None = _adopted.get((kind, guarded))
    if known is None:
        known = _adopted[kind, guarded] = type(name, (kind, guarded), {})
    return known


_adopted: dict[tuple[type, type], type] = {}
_PROXIES_DEEP = 16


def unwrapped(visible: Any, stock: type) -> Any:
    """Return the *stock* driver's own connection that proxies such as wrapt's stand round.

    Raises `NotADriversConnection` where there is none.
    """
    found = visible
    for _ in range(_PROXIES_DEEP):
        # By type(): a proxy says of itself that it is what it wraps.
        if issubclass(type(found), stock):
            return found
        found = getattr(found, "__wrapped__", None)
    raise NotADriversConnection(
        f"{type(visible).__module__}.{type(visible).__qualname__} was given for a connection. "
        f"It is no {stock.__module__}.{stock.__qualname__}, and has none as its __wrapped__."
    )


def genuine(method: Any, module: str) -> Any:
    """Return *method* if it is a plain function of *module*; None where somebody replaced it."""
    plain = type(method) is FunctionType and method.__module__ == module
    return method if plain and not hasattr(method, "__wrapped__") else None


def classes_in(module: ModuleType) -> frozenset[type]:
    """Return the classes that a module of a driver's defines."""
    found = (value for value in vars(module).values() if isinstance(value, type))
    return frozenset(kind for kind in found if kind.__module__ == module.__name__)


class Batches:
    """Mixed into the driver's class of cursors: batches that the server takes."""

    connection: Any
    max_stmt_length: int

    def executemany(self, query: Any, args: Any) -> Any:
        """Run one statement for many rows, as the driver does, in parts that fit."""
        limit = 0 if self.connection is None else self.connection.max_packet
        # The command's own byte counts too.
        if 0 < limit <= self.max_stmt_length:
            self.max_stmt_length = limit - 1
        return super().executemany(query, args)  # type: ignore[misc]


def ends_exchange(error: BaseException) -> bool:
    """Return whether ``error`` is the server's own answer, after which it waits for commands.

    The client library's numbers (0, 2000 to 2999, and 5000 to 5999 of MariaDB's) are not.
    """
    code = error.args[0] if error.args else None
    if not isinstance(code, int) or code < 1 or code in LAST_WORDS:
        return False
    return not (2000 <= code < 3000 or 5000 <= code < 6000)


def _plain_version(version: str) -> str:
    # MariaDB before 11 hides behind a version that old replicas understand.
    return version.removeprefix("5.5.5-")


def quietly(call: Callable[[], object]) -> None:
    """Call, whatever it raises: for the end of a connection, which must not fail."""
    with contextlib.suppress(Exception):
        call()
