"""A proxy that knows every packet by its number, and strikes exactly one of them.

One thread carries all connections, so what went by has one order, and nothing passes while the
fault is put in place.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from lifeline_lab.wire.protocol import HEADER, Packets, asks_for_tls, readable_greeting
from tests.sweep.cells import AWAY, CUTS, FATAL, Fault, Packet, garbled
from tests.sweep.traffic import (
    DEPRECATE_EOF,
    TLS_DATA,
    TLS_HEADER,
    Answer,
    Records,
    command_of,
    error_packet,
    phase_of,
)

HOST = "127.0.0.1"
CHUNK = 65536
DELAY = 0.03
PATIENCE = 20.0
ROLLBACK = b"\x09\x00\x00\x00\x03ROLLBACK"


@dataclass
class Seen:
    """What went by since the fault was put in place."""

    packets: list[Packet] = field(default_factory=list)
    fired: bool = False
    struck: str = ""
    """What the packet that was struck is for."""
    commit_sent: bool | None = False
    """Whether a COMMIT left the client; None where the proxy cannot read it."""
    commit_answered: bool | None = False
    """Whether its OK reached the client, whole and unchanged."""


class _Gone(Exception):
    """One end of a connection has hung up."""


class Session:
    """One client's connection, and the server's session for it."""

    def __init__(self, number: int, client: socket.socket, server: socket.socket) -> None:
        self.number = number
        self.client: socket.socket | None = client
        self.server: socket.socket | None = server
        self.state = "greeting"
        self.phase = "greeting"
        self.counts = {"up": 0, "down": 0}
        self.answer: Answer | None = None
        self.flags = 0
        self.silent = False
        self.awaiting = False
        """The client is gone; the server still works on what it got."""
        self.muddled = False
        """Something garbled went by: what the packets after it mean cannot be known."""
        self.from_client: Packets | Records = Packets()
        self.from_server: Packets | Records = Packets()
        self.arrived: deque[bytes] = deque()

    @property
    def broken(self) -> bool:
        """Whether nothing is carried any more."""
        return self.silent or self.client is None

    @property
    def working(self) -> bool:
        """Whether the server has a whole command that it has not answered yet."""
        if self.state == "tls":
            return True
        return self.state == "commands" and self.answer is not None and not self.answer.complete

    @property
    def owes(self) -> bool:
        """Whether the server will say something without hearing more."""
        if self.muddled or self.server is None:
            return False
        return self.working and not (self.answer and self.answer.conversation)

    def restart(self, number: int) -> None:
        """Count from here."""
        self.number = number
        self.counts = {"up": 0, "down": 0}

    def count(self, way: str) -> int:
        """The number of this packet on its way."""
        self.counts[way] += 1
        return self.counts[way]


class Wire:
    """Listens on ``port`` and forwards to the server, striking one packet when told."""

    host = HOST

    def __init__(self, host: str, port: int, *, tls: bool = False) -> None:
        self._target = (host, port)
        self._tls = tls
        self._fault: Fault | None = None
        self._seen = Seen()
        self._sessions: list[Session] = []
        self._next_number = 0
        self._requests: deque[tuple[Callable[[], bool], threading.Event]] = deque()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._listener: socket.socket | None = None
        self.port: int = self._listen(0)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="sweep-wire", daemon=True)
        self._thread.start()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *error: object) -> None:
        self._closing = True
        self._wake.send(b"!")
        self._thread.join()

    @property
    def open(self) -> int:
        """How many connections of clients are open and whole."""
        return sum(not session.broken for session in list(self._sessions))

    def begin(self, fault: Fault | None) -> None:
        """Put a fault in place; open connections are numbered from 0, their packets from 1."""

        def start() -> bool:
            self._seen = Seen()
            if self._tls:
                self._seen.commit_sent = self._seen.commit_answered = None
            for number, session in enumerate(self._sessions):
                session.restart(number)
            self._next_number = len(self._sessions)
            self._fault = fault
            return True

        self._ask(start)

    def settle(self) -> Seen:
        """Take the fault away, let the server finish what it got, end what is broken."""

        def finish() -> bool:
            self._fault = None
            for session in [each for each in self._sessions if each.broken]:
                if session.silent and session.state == "tls":
                    self._say_no_more(session)
                if not (session.awaiting and session.owes):
                    self._end(session)
            if any(session.broken for session in self._sessions):
                return False
            if self._listener is None:
                self._listen(self.port)
            return True

        self._ask(finish)
        # What goes by from now on is no part of it.
        seen, self._seen = self._seen, Seen()
        return seen

    def abort(self) -> None:
        """Reset everything, to free a client that hangs."""

        def drop() -> bool:
            for session in list(self._sessions):
                self._end(session, reset=True)
            return True

        self._requests.clear()
        self._ask(drop)

    def _ask(self, step: Callable[[], bool]) -> None:
        done = threading.Event()
        self._requests.append((step, done))
        self._wake.send(b"!")
        if not done.wait(PATIENCE):
            raise TimeoutError("The proxy waits for the server in vain.")

    def _run(self) -> None:
        while not self._closing:
            quiet = True
            # What is ready already goes before what is asked.
            for key, _ in self._selector.select(0 if self._requests else None):
                if key.fileobj is self._woken:
                    self._woken.recv(CHUNK)
                    quiet = False
                elif key.fileobj is self._listener:
                    self._accept()
                    quiet = False
                else:
                    self._carry(key.data, key.fileobj)
                    quiet = False
            if quiet and self._requests:
                self._obey()
        for session in list(self._sessions):
            self._end(session)
        self._selector.close()
        if self._listener is not None:
            self._listener.close()
        for end in (self._wake, self._woken):
            end.close()

    def _listen(self, port: int) -> int:
        """Take connections; return the port, which is a free one for 0."""
        self._listener = socket.create_server((HOST, port), backlog=64)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        chosen: int = self._listener.getsockname()[1]
        return chosen

    def _go_away(self, struck: Session) -> None:
        """End all other connections as well, and take no new ones."""
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
        for session in [each for each in self._sessions if each is not struck]:
            self._end(session)

    def _obey(self) -> None:
        step, done = self._requests[0]
        if step():
            self._requests.popleft()
            done.set()
        else:
            # The server will say something: wait for that.
            waiting = self._requests.popleft()
            for key, _ in self._selector.select(0.2):
                if isinstance(key.data, Session):
                    self._carry(key.data, key.fileobj)
            self._requests.appendleft(waiting)

    def _accept(self) -> None:
        assert self._listener is not None
        client, _ = self._listener.accept()
        server = socket.create_connection(self._target)
        session = Session(self._next_number, client, server)
        self._next_number += 1
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end, selectors.EVENT_READ, session)
        self._sessions.append(session)

    def _carry(self, session: Session, end: object) -> None:
        try:
            if end is session.client:
                self._upwards(session, _receive(session.client))
            elif end is session.server:
                session.arrived.extend(session.from_server.feed(_receive(session.server)))
                self._downwards(session)
        except (_Gone, OSError):
            self._hung_up(session, end)

    def _hung_up(self, session: Session, end: object) -> None:
        if session.silent:
            # Not to be seen at the other end until everything is settled.
            if end is session.client:
                self._close_client(session)
            else:
                self._close_server(session)
        elif end is session.client and session.owes and session.state != "tls":
            self._close_client(session)
            session.awaiting = True
        else:
            self._end(session)

    def _upwards(self, session: Session, data: bytes) -> None:
        waiting = deque(session.from_client.feed(data))
        while waiting:
            packet = waiting.popleft()
            if session.broken:
                self._overhear(session, packet)
                continue
            self._packet_up(session, packet)
            if session.state == "request":
                # From here on it is TLS, both ways.
                session.state = "tls"
                rest = (
                    session.from_client.rest() if isinstance(session.from_client, Packets) else b""
                )
                session.from_client, session.from_server = Records(), Records()
                waiting = deque(session.from_client.feed(b"".join(waiting) + rest))

    def _overhear(self, session: Session, packet: bytes) -> None:
        """What is said into the silence counts as sent."""
        if session.state == "commands" and phase_of(*command_of(packet)) == "COMMIT":
            self._seen.commit_sent = True

    def _packet_up(self, session: Session, packet: bytes) -> None:
        part = self._read_up(session, packet)
        fault = self._note(session, "up", packet, part, last=True)
        if fault is None:
            _send(session.server, packet)
        else:
            self._strike_up(session, packet, fault)

    def _read_up(self, session: Session, packet: bytes) -> str:
        if session.state == "tls":
            session.phase = "TLS data" if packet[0] == TLS_DATA else "TLS handshake"
            return "record"
        if session.state == "login":
            if self._tls and asks_for_tls(packet):
                session.state, session.phase = "request", "TLS request"
                return "request"
            session.flags = int.from_bytes(packet[HEADER : HEADER + 4], "little")
            session.state, session.phase = "authentication", "login"
            session.answer = Answer("login", deprecate_eof=False)
            return "login"
        if session.state != "commands" or session.working:
            return "reply"
        name, text = command_of(packet)
        session.phase = phase_of(name, text)
        session.answer = Answer(name, deprecate_eof=bool(session.flags & DEPRECATE_EOF))
        if session.phase == "COMMIT" and self._seen.commit_sent is not None:
            self._seen.commit_sent = True
        return "command"

    def _strike_up(self, session: Session, packet: bytes, fault: Fault) -> None:
        passes = fault.passes(len(packet))
        if fault.kind in CUTS:
            _send(session.server, packet[:passes])
            self._cut(session, fault.kind, whole=passes == len(packet))
        elif fault.kind == "delay":
            self._slowly(session.server, packet, passes)
        elif fault.kind == "garbage":
            _send(session.server, self._garbled(session, packet, fault.place))
        else:
            # A session that was ended for idleness had said so before anybody asked.
            sequence = 0 if fault.kind == "4031" else packet[3] + 1
            _send(session.client, error_packet(sequence, int(fault.kind)))
            assert session.answer is not None
            session.answer.complete = True
            self._after_error(session, fault.kind)

    def _downwards(self, session: Session) -> None:
        while session.arrived:
            self._packet_down(session, session.arrived.popleft())

    def _packet_down(self, session: Session, packet: bytes) -> None:
        if session.broken:
            if session.state != "tls" and session.answer is not None:
                session.answer.take(packet)
            return
        packet, part = self._read_down(session, packet)
        last = session.state == "tls" or session.answer is None or session.answer.complete
        fault = self._note(session, "down", packet, part, last=last)
        if fault is not None:
            self._strike_down(session, packet, fault)
            return
        if last and session.phase == "COMMIT" and self._seen.commit_sent is not None:
            assert session.answer is not None
            self._seen.commit_answered = not session.answer.refused
        _send(session.client, packet)

    def _read_down(self, session: Session, packet: bytes) -> tuple[bytes, str]:
        if session.state == "tls":
            session.phase = "TLS data" if packet[0] == TLS_DATA else "TLS handshake"
            return packet, "record"
        if session.state == "greeting":
            session.state = "login"
            return (packet if self._tls else readable_greeting(packet)), "greeting"
        assert session.answer is not None
        part = session.answer.take(packet)
        if session.state == "authentication":
            session.phase = "authentication"
            if session.answer.complete:
                session.state = "commands"
        return packet, part

    def _strike_down(self, session: Session, packet: bytes, fault: Fault) -> None:
        passes = fault.passes(len(packet))
        if fault.kind in CUTS:
            _send(session.client, packet[:passes])
            if fault.place == "after" and session.phase == "COMMIT":
                self._seen.commit_answered = True
            if fault.place == "after" and fault.kind != "silence" and not self._seen.commit_sent:
                # The client goes on, and what it says goes nowhere.
                self._seen.commit_sent = None
            self._cut(session, fault.kind, whole=True)
        elif fault.kind == "delay":
            self._slowly(session.client, packet, passes)
            self._seen.commit_answered = self._seen.commit_answered or session.phase == "COMMIT"
        elif fault.kind == "garbage":
            _send(session.client, self._garbled(session, packet, fault.place))
            if fault.place == "first" and session.state == "commands" and session.answer:
                # It looks like an error, after which a server says no more.
                if session.answer.conversation and not session.answer.complete:
                    # This one waits for a word of the client, which will not come.
                    self._cut(session, "fin", whole=True)
                else:
                    self._swallow(session, session.answer)
        else:
            _send(session.client, error_packet(packet[3], int(fault.kind)))
            self._after_error(session, fault.kind)

    def _after_error(self, session: Session, kind: str) -> None:
        """Bring the session to where a server's would be that has said this."""
        if kind in FATAL:
            self._cut(session, "fin", whole=True)
            return
        assert session.answer is not None
        self._swallow(session, session.answer)
        if kind == "1213":
            _send(session.server, ROLLBACK)
            self._swallow(session, Answer("COM_QUERY", deprecate_eof=False))

    def _swallow(self, session: Session, answer: Answer) -> None:
        while not answer.complete:
            while not session.arrived:
                session.arrived.extend(session.from_server.feed(_receive(session.server)))
            answer.take(session.arrived.popleft())

    def _garbled(self, session: Session, packet: bytes, place: str) -> bytes:
        session.muddled = place != "first" or session.state != "commands"
        return garbled(packet, place, TLS_HEADER if session.state == "tls" else HEADER)

    def _slowly(self, end: socket.socket | None, packet: bytes, passes: int) -> None:
        _send(end, packet[:passes])
        threading.Event().wait(DELAY)
        _send(end, packet[passes:])

    def _note(
        self, session: Session, way: str, packet: bytes, part: str, *, last: bool
    ) -> Fault | None:
        nth = session.count(way)
        seen = self._seen
        seen.packets.append(
            Packet(session.number, way, nth, session.phase, part, len(packet), last)
        )
        fault = self._fault
        if fault is None or (fault.connection, fault.way, fault.nth) != (session.number, way, nth):
            return None
        self._fault = None
        seen.fired, seen.struck = True, session.phase
        return fault

    def _cut(self, session: Session, kind: str, *, whole: bool) -> None:
        session.awaiting = whole
        if kind == AWAY:
            self._go_away(session)
        if kind == "silence":
            session.silent = True
            return
        self._close_client(session, reset=kind == "rst")
        if session.state == "tls" and session.server is not None:
            self._say_no_more(session)
        elif not (whole and session.owes):
            self._end(session, reset=kind == "rst")

    def _say_no_more(self, session: Session) -> None:
        """Let the server carry out what it got, and then find that nobody is there."""
        if session.server is not None:
            with contextlib.suppress(OSError):
                session.server.shutdown(socket.SHUT_WR)

    def _end(self, session: Session, *, reset: bool = False) -> None:
        self._close_client(session, reset=reset)
        self._close_server(session, reset=reset)
        if session in self._sessions:
            self._sessions.remove(session)

    def _close_client(self, session: Session, *, reset: bool = False) -> None:
        end, session.client = session.client, None
        self._close(end, reset)

    def _close_server(self, session: Session, *, reset: bool = False) -> None:
        end, session.server = session.server, None
        self._close(end, reset)

    def _close(self, end: socket.socket | None, reset: bool) -> None:
        if end is None:
            return
        self._selector.unregister(end)
        if reset:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.close()


def _receive(end: socket.socket | None) -> bytes:
    data = end.recv(CHUNK) if end is not None else b""
    if not data:
        raise _Gone
    return data


def _send(end: socket.socket | None, data: bytes) -> None:
    if end is not None and data:
        end.sendall(data)
