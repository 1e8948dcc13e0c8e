"""Look at an idle connection without sending anything.

A `Channel` holds a duplicate of the driver's descriptor. The C library closes its own when it
gives up, and the number may then belong to somebody else's file; the duplicate stays ours.
"""

from __future__ import annotations

import _socket  # not ``socket``: that one may be patched, and then touches the shared flags
import contextlib
import enum
import os
import select
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, cast

from django_lifeline.core.classification import LAST_WORDS

POLLRDHUP = getattr(select, "POLLRDHUP", 0)
POLLNVAL = getattr(select, "POLLNVAL", 0x20)
_READABLE = getattr(select, "POLLIN", 1) | getattr(select, "POLLPRI", 2) | POLLRDHUP
_ENDED = getattr(select, "POLLHUP", 0x10) | getattr(select, "POLLERR", 8) | POLLNVAL | POLLRDHUP

# struct tcp_info of Linux: eight bytes, of which the state is the first and the retransmissions
# the third, 24 32-bit numbers, four 64-bit ones, and two more of 32 bits before tcpi_notsent_bytes.
_NUMBERS = struct.Struct("=24I")
_UNACKED, _LAST_SENT, _LAST_RECEIVED, _LAST_ACKED = 4, 9, 11, 12
_NOTSENT = struct.Struct("=I")
_NOTSENT_OFFSET = 8 + 24 * 4 + 4 * 8 + 2 * 4
# Further on, 64-bit numbers: bytes confirmed, bytes sent, and of those the bytes sent again.
_LONG = struct.Struct("=Q")
_ACKED_OFFSET, _SENT_OFFSET, _RESENT_OFFSET = 8 + 24 * 4 + 2 * 8, 200, 208
_TCP_INFO_BYTES = 224
_IS_UNIX = hasattr(os, "get_blocking") and os.name != "nt"
_ONE_LOOK = getattr(_socket, "MSG_DONTWAIT", None)
"""How a read is told not to wait; None on Windows."""
_TCP_STATES = (
    ("ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT")
    + ("CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING")
)  # fmt: skip

Poll = Callable[[int], list[tuple[int, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpOptions:
    """What is set on a TCP connection. Times are in seconds; None leaves the system's."""

    keepalive: int | None = None
    """Idle time before the kernel's keepalive probes begin."""
    user_timeout: float | None = None
    """How long sent data may stay unacknowledged."""


SYSTEM_TCP = TcpOptions()
"""Leave everything to the system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpFacts:
    """What the kernel knows of a TCP connection, also after its end. Times are in seconds ago."""

    state: str
    """Such as ``ESTABLISHED``; ``CLOSE_WAIT`` after the other side's FIN, ``CLOSE`` after an RST
    or when this side gave up."""
    last_sent: float
    """When data was sent last."""
    last_received: float
    """When data was received last."""
    last_acked: float
    """When the other side confirmed something last: data, a keepalive probe, or with its FIN."""
    unacked: int = 0
    """Segments sent and not confirmed."""
    retransmits: int = 0
    """How often the oldest of them was sent again."""
    unsent: int = 0
    """Bytes that have not left this host."""
    ended_here: bool = False
    """Whether this side's end of the conversation, its FIN, was confirmed."""


class SightKind(enum.Enum):
    """What an idle connection's socket shows."""

    SILENT = "silent"
    """Nothing: it is alive as far as this host knows."""
    GOODBYE = "goodbye"
    """The server's last words, an error packet that nobody asked for."""
    CLOSED = "closed"
    """The other side ended the connection."""
    DATA = "data"
    """Something else: an answer out of step or, where encrypted, anything at all."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at the socket found."""

    kind: SightKind
    bits: int = 0
    """The poll bits."""
    code: int | None = None
    """The number in the server's goodbye, such as 4031."""
    encrypted: bool = False
    """Whether the waiting bytes are a TLS record, which only the driver can read."""
    record: int = 0
    """The length of that record: a server's goodbye is longer than TLS's own farewell."""
    errno: int = 0
    """The system's error that was waiting, such as that of a reset; 0 for none."""
    tcp: TcpFacts | None = None
    """The kernel's knowledge at that moment, where there is any."""


class Channel:
    """The socket below one driver connection. Not for several threads, `shutdown` aside."""

    __slots__ = ("_pid", "_sock", "_tls", "driver_fd", "fd", "poll")

    def __init__(self, driver_fd: int, *, tls: bool = True) -> None:
        """Duplicate ``driver_fd``; ``tls`` says whether it may be encrypted."""
        if _IS_UNIX:
            os.set_inheritable(driver_fd, False)
        self.driver_fd = driver_fd
        self._sock = _duplicate(driver_fd)
        self.fd = self._sock.fileno()
        self.poll = _poll(self.fd)
        """``poll(0)`` returns something when something waits to be read."""
        self._tls = tls
        self._pid = os.getpid()

    def silent(self) -> bool:
        """Return whether nothing waits to be read: the connection is alive. One system call."""
        return not self.poll(0)

    def look(self) -> Sight:
        """Say what waits to be read; nothing is consumed."""
        events = self.poll(0)
        if not events:
            return Sight(SightKind.SILENT)
        return replace(self._read(events[0][1]), tcp=self.tcp_facts())

    def _read(self, bits: int) -> Sight:
        try:
            head = self.peek(7)
        except BlockingIOError:
            return Sight(SightKind.CLOSED if bits & _ENDED else SightKind.SILENT, bits)
        except OSError as error:
            return Sight(SightKind.CLOSED, bits, errno=error.errno or 0)
        return read_sight(head, bits, tls=self._tls)

    def peek(self, size: int) -> bytes:
        """Return up to ``size`` waiting bytes and leave them there.

        Raises `BlockingIOError` when there are none, another `OSError` after a reset.
        """
        if _ONE_LOOK is None and not self.poll(0):
            raise BlockingIOError
        return self._sock.recv(size, _socket.MSG_PEEK | (_ONE_LOOK or 0))

    @property
    def tls(self) -> bool:
        """Whether the connection may be encrypted."""
        return self._tls

    def unsent_bytes(self) -> int | None:
        """Return how many bytes never left this host and never will.

        Only a connection that the kernel has given up answers: while one is open, what is
        queued may still be sent. None means unknown.
        """
        info = self._tcp_info()
        if _state(info) != "CLOSE" or len(info) < _NOTSENT_OFFSET + _NOTSENT.size:
            return None
        return int(_NOTSENT.unpack_from(info, _NOTSENT_OFFSET)[0])

    def tcp_state(self) -> str | None:
        """Return the kernel's name for the TCP state, such as ``ESTABLISHED``, or None."""
        return _state(self._tcp_info())

    def tcp_facts(self) -> TcpFacts | None:
        """Return what the kernel knows of the connection; None where it does not tell."""
        return read_tcp_info(self._tcp_info())

    def local_port(self) -> int | None:
        """Return this side's TCP port, None where there is none."""
        try:
            name = self._sock.getsockname()
        except OSError:
            return None
        return int(name[1]) if isinstance(name, tuple) else None

    def set_tcp(self, options: TcpOptions) -> None:
        """Set keepalive and user timeout, as far as the platform has them."""
        if self._sock.family not in (_socket.AF_INET, _socket.AF_INET6):
            return
        if options.keepalive is not None:
            self._set(_socket.SOL_SOCKET, "SO_KEEPALIVE", 1)
            idle = "TCP_KEEPIDLE" if hasattr(_socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"
            self._set(_socket.IPPROTO_TCP, idle, options.keepalive)
            self._set(_socket.IPPROTO_TCP, "TCP_KEEPINTVL", max(1, options.keepalive // 6))
            self._set(_socket.IPPROTO_TCP, "TCP_KEEPCNT", 3)
        if options.user_timeout is not None:
            milliseconds = max(1, int(options.user_timeout * 1000))
            self._set(_socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", milliseconds)

    def shutdown(self) -> None:
        """End the conversation in both directions; any thread may. Whoever waits wakes up."""
        if os.getpid() == self._pid:
            with contextlib.suppress(OSError):
                self._sock.shutdown(_socket.SHUT_RDWR)

    def abort(self) -> None:
        """Shut down, and drop what is still queued once the descriptors are closed."""
        if os.getpid() == self._pid:
            with contextlib.suppress(OSError):
                linger = struct.pack("ii", 1, 0)
                self._sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, linger)
        self.shutdown()

    def close(self) -> None:
        """Close the duplicate. The channel is never silent again."""
        self.poll = _closed_poll
        self._sock.close()

    def park(self) -> None:
        """Let both descriptors lead to ``/dev/null``.

        For a forked child: neither COM_QUIT nor a TLS farewell reaches the parent's session.
        """
        if self.poll is _closed_poll:
            return
        self.poll = _closed_poll
        numbers = [self.fd, self.driver_fd] if self._still_the_drivers() else [self.fd]
        null = os.open(os.devnull, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
        for number in numbers:
            os.dup2(null, number, inheritable=False)
        os.close(null)

    def _still_the_drivers(self) -> bool:
        # The library may have closed its descriptor, and the number may be another file's now.
        try:
            return os.path.sameopenfile(self.driver_fd, self.fd)
        except OSError:
            return False

    def _tcp_info(self) -> bytes:
        option = getattr(_socket, "TCP_INFO", None)
        if option is None or not sys.platform.startswith("linux"):
            return b""
        try:
            return self._sock.getsockopt(_socket.IPPROTO_TCP, option, _TCP_INFO_BYTES)
        except OSError:
            return b""

    def _set(self, level: int, name: str, value: int) -> None:
        option = getattr(_socket, name, None)
        if option is not None:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(level, option, value)


def read_sight(head: bytes, bits: int, *, tls: bool) -> Sight:
    """Interpret the first bytes that wait on an idle connection; none means end of file."""
    if not head:
        return Sight(SightKind.CLOSED, bits)
    if tls and _is_tls_record(head):
        # What was sent before the end cannot be read here, but the end itself shows.
        kind = SightKind.CLOSED if bits & _ENDED else SightKind.DATA
        length = head[3] << 8 | head[4] if len(head) > 4 else 0
        return Sight(kind, bits, encrypted=True, record=length)
    # An error packet is short (length below 64 KiB) and, unasked for, has sequence number 0; the
    # answer to a command has 1. MySQL Router counts on from the last answer.
    if len(head) >= 7 and head[2] == 0 and head[4] == 0xFF:
        number, code = head[3], head[5] | head[6] << 8
        if number == 0 or (number > 1 and code in LAST_WORDS):
            return Sight(SightKind.GOODBYE, bits, code)
    return Sight(SightKind.DATA, bits)


def read_tcp_info(info: bytes) -> TcpFacts | None:
    """Interpret Linux's ``struct tcp_info``; None if it is too short or of another system."""
    state = _state(info)
    if state is None or len(info) < _NOTSENT_OFFSET + _NOTSENT.size:
        return None
    numbers = _NUMBERS.unpack_from(info, 8)
    return TcpFacts(
        state=state,
        last_sent=numbers[_LAST_SENT] / 1000,
        last_received=numbers[_LAST_RECEIVED] / 1000,
        last_acked=numbers[_LAST_ACKED] / 1000,
        unacked=numbers[_UNACKED],
        retransmits=info[2],
        unsent=_NOTSENT.unpack_from(info, _NOTSENT_OFFSET)[0],
        ended_here=_fin_was_confirmed(info),
    )


def _fin_was_confirmed(info: bytes) -> bool:
    """Compare what was confirmed with what was sent: SYN counts as one byte, and FIN as another."""
    if len(info) < _RESENT_OFFSET + _LONG.size:
        return False
    acked, sent, again = (
        _LONG.unpack_from(info, offset)[0]
        for offset in (_ACKED_OFFSET, _SENT_OFFSET, _RESENT_OFFSET)
    )
    return bool(acked - (sent - again) > 1)


def original(module: ModuleType, name: str) -> Any:
    """Return an attribute of a standard module as it was before gevent patched it, or None."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None:
        with contextlib.suppress(AttributeError):
            return monkey.get_original(module.__name__, name)
    return getattr(module, name, None)


class _Duplicate(_socket.socket):
    def __del__(self) -> None:
        # Instead of the base's finalizer, which warns: dropping a channel is legitimate.
        self.close()


def _duplicate(fd: int) -> _Duplicate:
    # The blocking flag is shared with the driver's descriptor, and making a socket object may
    # change it (socket.setdefaulttimeout).
    if not _IS_UNIX:
        # There a socket is a handle and no descriptor, and each duplicate has its own flag.
        [sock] = map(_Duplicate, (-1,), (-1,), (-1,), map(_socket.dup, (fd,)))
        sock.settimeout(None)
        return sock
    blocking = os.get_blocking(fd)
    unknown = (-1,)
    # In one go in C: an exception from nowhere that came between the duplicate and its socket
    # object would leave a descriptor, and with it the server's session, that nobody closes.
    [sock] = map(_Duplicate, unknown, unknown, unknown, map(os.dup, (fd,)))
    sock.settimeout(None)
    os.set_blocking(fd, blocking)
    return sock


def _poll(fd: int) -> Poll:
    make = original(select, "poll")
    if make is None:
        return _select_poll(fd)
    poll = make()
    poll.register(fd, _READABLE)
    return cast(Poll, poll.poll)


def _select_poll(fd: int) -> Poll:
    wait = original(select, "select")

    def poll(timeout: int) -> list[tuple[int, int]]:
        readable = wait([fd], [], [], timeout / 1000)[0]
        return [(fd, _READABLE & ~POLLRDHUP)] if readable else []

    return poll


def _closed_poll(timeout: int) -> list[tuple[int, int]]:
    return [(-1, POLLNVAL)]


def _is_tls_record(head: bytes) -> bool:
    return 0x14 <= head[0] <= 0x17 and head[1:2] in (b"", b"\x03")


def _state(info: bytes) -> str | None:
    if not info or not 1 <= info[0] <= len(_TCP_STATES):
        return None
    return _TCP_STATES[info[0] - 1]
