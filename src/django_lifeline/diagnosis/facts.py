"""What is known when a connection is lost, as plain values. Times are in seconds.

All of it is at hand then: stored while the connection was opened and used, or asked of the
kernel. Only `ServerNow` costs a question to the server.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from django_lifeline.core.liveness import Sight, SightKind, TcpFacts
from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.model import Done

TLS_FAREWELL_BYTES = 60
"""TLS's own farewell is shorter than this, and an error packet with its text is longer."""
READ_SLACK = 0.3
"""Seconds by which a driver's timer may be early against the kernel's figures."""
LINGER = 60.0
"""How long a host goes on answering for a connection that it has closed (tcp_fin_timeout)."""


class Phase(enum.StrEnum):
    """When the loss was noticed."""

    CONNECTING = "connecting"
    IDLE = "idle"
    """Nobody was using it: a look at the pool's connections."""
    BEFORE = "before"
    """At the look that precedes a statement, of which nothing was sent."""
    IN_FLIGHT = "in flight"
    """A statement was sent and not answered."""
    READING = "reading"
    """The rows of an answer were being read."""
    COMMIT = "commit"
    """COMMIT was sent and not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The server's limits as they were when this process first connected."""

    wait_timeout: float
    """The session's."""
    global_wait_timeout: float | None = None
    interactive_timeout: float | None = None
    """The global one, which an interactive session begins with."""
    net_write_timeout: float | None = None
    net_read_timeout: float | None = None
    max_allowed_packet: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """The connection that took the lost one's place. It lives."""

    server_thread_id: int
    """0: not known."""
    older: bool = False
    """Opened before the lost one was, so that the server has been up all the time."""
    at_once: bool = False
    """Opened within a moment of the lost one: their numbers may come in either order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerNow:
    """What the server said of itself after the loss."""

    uptime: float
    same_server: bool | None = None
    """Whether it is the server of before, by its host name and port; None: not known."""
    read_only: bool = False
    aborted_clients: int | None = None
    aborted_connects: int | None = None
    wait_timeout: float | None = None
    """Of a session that begins now."""
    max_allowed_packet: int = 0
    """Of a session that begins now."""
    lost_session: str = ""
    """What the lost session is doing: ``gone``, ``sleep``, ``query`` …; empty: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossFacts:
    """The circumstances of one loss."""

    label: Label
    phase: str
    """One of `Phase`."""
    done: Done = Done.RAISED
    code: int | None = None
    """The number of the driver's error, or of the server's goodbye."""
    driver_cause: str = ""
    """What the driver's error came from: a class such as ``TimeoutError``, or ``ETIMEDOUT``."""
    driver_tells: bool = False
    """Whether the driver would have told what its error came from."""
    idle: float = 0.0
    """From the last command to the moment at which the loss was noticed, or the next command."""
    age: float = 0.0
    elapsed: float = 0.0
    """Since the statement was sent."""
    pause: float = 0.0
    """The longest time between two reads of a result that is read in parts."""
    limits: Limits | None = None
    own_wait_timeout: float | None = None
    """What the application set the session's ``wait_timeout`` to."""
    interactive: bool = False
    """Whether the client called itself interactive at connecting."""
    read_timeout: float | None = None
    write_timeout: float | None = None
    tcp_user_timeout: float | None = None
    ping_timeout: float | None = None
    sight: Sight | None = None
    """What the look before the statement found."""
    tcp: TcpFacts | None = None
    """What the kernel said at the moment of the loss."""
    through_proxy: bool | None = None
    """Whether the server sees another port than this side has; None: not known."""
    mariadb: bool = False
    tls: bool = False
    server_thread_id: int = 0
    """0: not known, since a proxy has numbers of its own."""
    bytes_sent: int = 0
    """The length of the last command."""
    statement: str = ""
    """The statement's first keyword."""
    ends_transaction: bool = False
    """Whether no transaction is open after it, whatever became of it."""
    state_lost: str = ""
    """What kind of session state went with the connection, if any."""
    in_transaction: bool = False
    opened_by: str = ""
    """The thread or greenlet that opened the connection."""
    used_by: str = ""
    """The one that met the loss."""
    shared_with: str = ""
    """Another thread that was in the middle of using the connection."""
    pid: int = 0
    forked: bool = False
    """The connection was opened by another process: this one's parent."""
    sent_by_another: bool = False
    """Data left through the connection's socket after this process had sent its last."""
    sharers: tuple[int, ...] = ()
    """The ids of living children that have the connection's socket too."""
    closed_in: tuple[int, ...] = ()
    """Those of them in which the driver has closed it, which it does after its goodbye."""
    fork_in_doubt: bool = False
    """Nothing rules out that a child, unseen by Python, said goodbye in this process's name."""
    exposed: bool = False
    """The driver's connection was given out to the application."""
    closed_here: bool = False
    """The driver's connection or its descriptor was closed in this process, not by the engine."""
    ended_for: str = ""
    """Why the engine itself had ended it."""
    refused_for: str = ""
    """What a server on which this process had written said against writing there now."""
    unread: bool = False
    """The answer to the statement before was left unread."""
    interrupted_by: str = ""
    """The class of the exception that broke into the exchange."""
    successor: Successor | None = None
    server: ServerNow | None = None
    unreachable_with: int = 0
    """The number with which connecting failed right after the loss."""

    @property
    def before_sending(self) -> bool:
        """Whether the connection was found dead, rather than lost in an exchange."""
        return self.phase in (Phase.BEFORE, Phase.IDLE)

    @property
    def open(self) -> bool:
        """Whether the kernel says that neither side has ended the connection."""
        return self.tcp is not None and self.tcp.state == "ESTABLISHED"

    @property
    def gave_up(self) -> bool:
        """Whether the driver stopped waiting for a connection that nobody had ended."""
        if self.before_sending:
            return False
        if self.driver_cause in ("TimeoutError", "timeout"):
            return True
        if self.tcp is not None:
            return self.open
        limit = self.read_timeout or self.write_timeout
        return limit is not None and self.elapsed >= limit - READ_SLACK

    @property
    def still_runs(self) -> bool:
        """Whether the server said that it is at work on the statement yet."""
        return self.server is not None and self.server.lost_session in ("query", "execute")

    @property
    def wait_timeout(self) -> float | None:
        """The session's own limit of idle time."""
        if self.own_wait_timeout is not None:
            return self.own_wait_timeout
        known = [self.limits.wait_timeout] if self.limits else []
        # Lowered since, it counts for the sessions that began later.
        known += [self.server.wait_timeout] if self.server and self.server.wait_timeout else []
        return min(known, default=None)

    @property
    def goodbye_waits(self) -> bool:
        """Whether the server's last words wait to be read, as error packet or encrypted."""
        sight = self.sight
        return sight is not None and (
            sight.kind is SightKind.GOODBYE or sight.record > TLS_FAREWELL_BYTES
        )

    @property
    def ended_after(self) -> tuple[float, float]:
        """The least and the greatest idle time at which the connection can have ended.

        The kernel knows when the other side was heard last: its goodbye or its FIN, or before
        those the answer to a keepalive probe, which it gives for a while after a FIN as well.
        """
        tcp = self.tcp
        if tcp is None or not self.before_sending:
            return 0.0, self.idle
        if self.goodbye_waits:
            said = max(self.idle - tcp.last_received, 0.0)
            return said, said
        heard = max(self.idle - tcp.last_acked, 0.0)
        least = heard if heard < LINGER else heard - LINGER
        return least, heard if tcp.state == "CLOSE_WAIT" else self.idle


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalFacts:
    """What is known when no connection could be had."""

    code: int | None = None
    """The error's number: the server's, the driver's, or ours from 51901."""
    driver_cause: str = ""
    """The class of what the driver's error came from, such as ``SSLCertVerificationError``."""
    system: int = 0
    """The system's error number in the driver's text, by `reach.number_in`; 0: not looked at."""
    waited: float = 0.0
    """Since the first attempt to connect."""
    attempts: int = 1
    place: str = ""
    """The pool's name: user, host, port and database."""
    last_connect_code: int | None = None
    """Of the pool's last failed attempt, where that was its latest."""
    size: int = 0
    """The statement's length, where it was too long."""
    limit: int = 0
    takes_writes: bool | None = None
    """Whether the server that refused a statement takes writes, as it says; None: not known."""
    figures: tuple[tuple[str, object], ...] = ()
    """More for the evidence, by name."""
