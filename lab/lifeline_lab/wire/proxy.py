"""The proxy itself: accepts clients, and is told what to break."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable

from lifeline_lab.wire.connection import Connection
from lifeline_lab.wire.protocol import Command
from lifeline_lab.wire.rules import Action, Fault, Rules, When

HOST = "127.0.0.1"


class WireProxy:
    """Listens on a free loopback port (``port``) and forwards to ``host``:``target_port``.

    With ``tls=False`` the server's TLS is hidden from clients, who then speak plaintext, and
    ``commands`` lists what they send after logging in. With ``tls=True`` they may negotiate it:
    then their connections can be broken as a whole, but their commands are not seen.
    """

    host = HOST

    def __init__(self, host: str, target_port: int, *, tls: bool = False) -> None:
        self.target = (host, target_port)
        """Where new connections go; may be changed."""
        self._rules = Rules(tls=tls)
        self._lock = threading.Lock()
        self._connections: list[Connection] = []
        self._count = 0
        self._blackhole = False
        self._listener: _Listener | None = _Listener(self._accept, 0)
        self.port = self._listener.port

    def __enter__(self) -> WireProxy:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def commands(self) -> list[Command]:
        """What clients have sent since they logged in, or since `clear`; a copy."""
        with self._rules.changed:
            return list(self._rules.commands)

    @property
    def connections(self) -> list[int]:
        """The numbers of the connections that are open, oldest first."""
        with self._lock:
            return [connection.number for connection in self._connections]

    @property
    def accepted(self) -> int:
        """How many connections have ever been made."""
        with self._lock:
            return self._count

    def on(
        self,
        pattern: str,
        when: When = "before",
        action: Action = "rst",
        *,
        once: bool = True,
        nth: int = 1,
        after_bytes: int = 0,
    ) -> Fault:
        """Break the connection at the ``nth`` command that matches, or at each from then on.

        ``pattern`` is a command's name ("COM_PING"), else searched for in the statement's text.
        ``before``: the server never sees the command. ``after_send``: the client is cut off at
        once, the server carries the command out. ``mid_answer``: the server has carried it out,
        and the client gets only the first ``after_bytes`` bytes of its answer. The fault's
        ``fired`` event is set when it has happened.
        """
        fault = Fault(pattern, when, action, once, nth, after_bytes)
        with self._rules.changed:
            self._rules.faults.append(fault)
        return fault

    def wait_for(self, pattern: str, timeout: float = 10.0) -> Command:
        """Return the first matching command once it was passed on; `TimeoutError` if none is."""
        found = self._rules.wait_for(pattern, timeout)
        if found is None:
            raise TimeoutError(f"No command matched {pattern!r} within {timeout} s.")
        return found

    def clear(self) -> None:
        """Forget the commands seen so far."""
        with self._rules.changed:
            self._rules.commands.clear()

    def cut(self, connection: int | None = None, action: Action = "rst") -> None:
        """Break all connections, or this one; it has happened when this returns."""
        self._tell(action, only=connection)

    def blackhole(self) -> None:
        """From now on all connections, new ones too, stay open and carry nothing."""
        with self._lock:
            self._blackhole = True
        self._tell("blackhole")

    def refuse(self) -> None:
        """Refuse new connections; those that are open go on."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def resume(self) -> None:
        """Accept and forward new connections again; what was lost stays lost."""
        with self._lock:
            self._blackhole = False
        if self._listener is None:
            self._listener = _Listener(self._accept, self.port)

    def hold(self) -> None:
        """Stop forwarding, both ways; nothing is lost."""
        self._rules.held = True
        self._tell("look")

    def release(self) -> None:
        """End a `hold`: what has piled up is forwarded."""
        self._rules.held = False
        self._tell("look")

    def close(self) -> None:
        """Refuse new connections, close those that are open, end the threads."""
        self.refuse()
        for connection in self._tell("fin"):
            connection.thread.join()

    def _accept(self, client: socket.socket) -> None:
        with self._lock:
            self._count += 1
            target = None if self._blackhole else self.target
            connection = Connection(self._rules, self._count, client, target, self._forget)
            self._connections.append(connection)
            connection.thread.start()

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            self._connections.remove(connection)

    def _tell(self, request: str, only: int | None = None) -> list[Connection]:
        with self._lock:
            told = [each for each in self._connections if only in (None, each.number)]
        for connection in told:
            connection.tell(request)
        for connection in told:
            connection.wait_until_told()
        return told


class _Listener:
    """Accepts connections, in a thread of its own, until it is closed."""

    def __init__(self, accept: Callable[[socket.socket], None], port: int) -> None:
        self._accept = accept
        self._socket = socket.create_server((HOST, port), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="wire-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.close()
        self._thread.join()

    def _run(self) -> None:
        with self._socket, self._stopped, selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                if self._stopped in ready:
                    return
                with contextlib.suppress(OSError):
                    self._accept(self._socket.accept()[0])
