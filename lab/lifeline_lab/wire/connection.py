"""One client's connection through the proxy, and the one thread that carries its bytes.

One thread for both directions: so a command is listed before its answer passes. And it is this
thread that breaks the connection, since a socket somebody waits on cannot be reset at once.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable

from lifeline_lab.wire.protocol import (
    Packets,
    asks_for_tls,
    command,
    ends_login,
    readable_greeting,
)
from lifeline_lab.wire.rules import Fault, Rules

CHUNK = 65536
CONNECT_TIMEOUT = 10.0


class _Ended(Exception):
    """The connection has come to its end."""


class Connection:
    """Carries bytes between ``client`` and a new session at ``target`` until either hangs up.

    Without a target (None) it swallows what the client sends, and never answers.
    """

    def __init__(
        self,
        rules: Rules,
        number: int,
        client: socket.socket,
        target: tuple[str, int] | None,
        ended: Callable[[Connection], None],
    ) -> None:
        self.number = number
        self.thread = threading.Thread(target=self._run, name=f"wire-{number}", daemon=True)
        self._rules = rules
        self._client = client
        self._target = target
        self._ended = ended
        self._server: socket.socket | None = None
        self._silent = target is None
        self._wake, self._woken = socket.socketpair()
        self._requests: deque[str] = deque()
        self._obeyed = threading.Event()
        self._from_client = Packets()
        self._from_server = Packets()
        self._greeted = False
        self._logged_in = False
        self._opaque = False
        self._fault: Fault | None = None
        self._passed = 0

    def tell(self, request: str) -> None:
        """Ask for ``rst``, ``fin`` or ``blackhole``; ``look`` makes it look at the rules again."""
        self._obeyed.clear()
        self._requests.append(request)
        # It has ended already when this fails.
        with contextlib.suppress(OSError):
            self._wake.send(b"!")

    def wait_until_told(self) -> None:
        """Return when everything asked for is done."""
        while self.thread.is_alive() and not self._obeyed.wait(0.01):
            pass

    def _run(self) -> None:
        try:
            with contextlib.suppress(_Ended):
                self._connect()
                while True:
                    self._step()
        except OSError:
            # A reset at one end, or nobody there, is a reset for the other.
            self._reset(self._client, self._server)
        self._ended(self)
        for each in (self._client, self._server, self._wake, self._woken):
            if each is not None:
                each.close()
        self._obeyed.set()

    def _connect(self) -> None:
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._target is not None:
            self._server = socket.create_connection(self._target, timeout=CONNECT_TIMEOUT)
            self._server.settimeout(None)
            self._server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _step(self) -> None:
        if self._silent:
            self._swallow()
        ready = self._wait() if self._rules.held else self._wait(self._client, self._server)
        if self._client in ready:
            self._upwards(self._receive(self._client))
        if self._server in ready and not self._silent:
            self._downwards(self._receive(self._server))

    def _swallow(self) -> None:
        """Read and drop for ever: each end believes that its bytes went somewhere."""
        open_ends = [self._client, self._server]
        while True:
            for end in self._wait(*open_ends):
                if not _received(end):
                    # It has hung up, which must not be seen at the other end.
                    open_ends.remove(end)

    def _wait(self, *ends: socket.socket | None, writing: bool = False) -> set[socket.socket]:
        """Wait until one of these is ready, doing meanwhile what `tell` asks for."""
        event = selectors.EVENT_WRITE if writing else selectors.EVENT_READ
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for end in ends:
                if end is not None:
                    selector.register(end, event)
            ready = [key.fileobj for key, _ in selector.select()]
        if self._woken in ready:
            self._woken.recv(CHUNK)
            while self._requests:
                self._obey(self._requests.popleft())
            self._obeyed.set()
            return set()
        return {end for end in ends if end in ready and end is not None}

    def _obey(self, request: str) -> None:
        if request == "blackhole":
            self._silent = True
        elif request != "look":
            if request == "rst":
                self._reset(self._client, self._server)
            raise _Ended

    def _receive(self, end: socket.socket | None) -> bytes:
        data = end.recv(CHUNK) if end is not None else b""
        if not data:
            # Whoever hangs up: the other end sees just that.
            raise _Ended
        return data

    def _send(self, end: socket.socket | None, data: bytes) -> None:
        view = memoryview(data)
        while view and end is not None and not self._silent:
            if self._wait(end, writing=True):
                view = view[end.send(view, socket.MSG_DONTWAIT) :]

    def _upwards(self, data: bytes) -> None:
        if self._opaque:
            self._send(self._server, data)
            return
        for packet in self._from_client.feed(data):
            if self._logged_in:
                self._packet_upwards(packet)
            else:
                self._opaque = self._opaque or (self._rules.tls and asks_for_tls(packet))
                self._send(self._server, packet)
        if self._opaque:
            self._send(self._server, self._from_client.rest())

    def _packet_upwards(self, packet: bytes) -> None:
        sent = command(self.number, packet)
        if self._silent or sent is None:
            self._send(self._server, packet)
            return
        self._fault, self._passed = self._rules.fault_for(sent), 0
        when = self._fault.when if self._fault else None
        if when != "before":
            self._send(self._server, packet)
        self._rules.record(sent)
        if self._fault and when != "mid_answer":
            self._hit(self._fault)

    def _downwards(self, data: bytes) -> None:
        if self._fault:
            self._answer_downwards(self._fault, data)
        elif self._opaque or self._logged_in:
            self._send(self._client, data)
        else:
            for packet in self._from_server.feed(data):
                self._login_packet_downwards(packet)
            if self._logged_in:
                self._send(self._client, self._from_server.rest())

    def _answer_downwards(self, fault: Fault, data: bytes) -> None:
        wanted = fault.after_bytes - self._passed
        self._passed += len(data)
        self._send(self._client, data[:wanted])
        if self._passed >= fault.after_bytes:
            self._hit(fault)

    def _login_packet_downwards(self, packet: bytes) -> None:
        if not (self._greeted or self._rules.tls):
            packet = readable_greeting(packet)
        self._greeted = True
        # Before the client knows: its first command must not pass for a part of the login.
        self._logged_in = self._logged_in or ends_login(packet)
        self._send(self._client, packet)

    def _hit(self, fault: Fault) -> None:
        self._fault = None
        if fault.action == "blackhole":
            self._silent = True
            fault.fired.set()
            return
        reset = fault.action == "rst"
        if reset:
            self._reset(self._client)
        # Before the client can notice it.
        fault.fired.set()
        self._client.close()
        if fault.when == "after_send":
            # Hanging up at once could keep the server from reading the command.
            while self._server not in self._wait(self._server):
                pass
        if reset:
            self._reset(self._server)
        raise _Ended

    def _reset(self, *ends: socket.socket | None) -> None:
        """Make closing say RST instead of FIN."""
        for end in ends:
            with contextlib.suppress(OSError):
                if end is not None:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _received(end: socket.socket) -> bytes:
    """What can be read; nothing at the end of the stream, however it ended."""
    with contextlib.suppress(OSError):
        return end.recv(CHUNK)
    return b""
