"""What stands between client and server, and what goes wrong there."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from lifeline_lab.servers.process import GuardedProcess

HOST = "127.0.0.1"
NO_LIMIT = 3600.0
START_TIMEOUT = 10.0

HAPROXY = """\
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client {milliseconds}ms
    timeout server {milliseconds}ms
listen database
    bind {listen}
    server one {host}:{port}{source}
"""

SO_ATTACH_FILTER = 26


@contextlib.contextmanager
def haproxy(
    folder: Path, host: str, port: int, *, idle: float = NO_LIMIT, source: str = ""
) -> Iterator[int]:
    """Run HAProxy before a server; give the port to connect to.

    It cuts connections that were idle for ``idle`` seconds. ``source`` is the address from which
    it connects.
    """
    listener = socket.create_server((HOST, 0))
    with listener:
        listen: int = listener.getsockname()[1]
    (folder / "haproxy.cfg").write_text(
        HAPROXY.format(
            milliseconds=int(idle * 1000),
            listen=f"{HOST}:{listen}",
            host=host,
            port=port,
            source=f" source {source}" if source else "",
        )
    )
    words = ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
    process = GuardedProcess(words, folder / "haproxy.log", folder)
    try:
        _wait_for_listener(listen)
        yield listen
    finally:
        process.end()


def _wait_for_listener(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        # By looking, not by connecting: a server behind it would count a broken handshake.
        if any(_listens(line, port) for line in Path("/proc/net/tcp").read_text().splitlines()):
            return
        time.sleep(0.005)
    raise TimeoutError(f"HAProxy does not listen on port {port}.")


def _listens(line: str, port: int) -> bool:
    fields = line.split()
    return fields[1].endswith(f":{port:04X}") and fields[3] == "0A"


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jt", ctypes.c_uint8),
        ("jf", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction)))


def deafen(fd: int) -> None:
    """Let nothing that is sent to this socket arrive any more, acknowledgements included.

    A filter of the kernel drops the packets before TCP sees them, as a firewall would.
    """
    drop = _Instruction(0x06, 0, 0, 0)  # return 0: keep no byte of it
    program = _Program(1, ctypes.pointer(drop))
    with duplicate(fd) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, bytes(program))


def duplicate(fd: int) -> socket.socket:
    """Return another handle on a descriptor's socket."""
    return socket.socket(fileno=os.dup(fd))


def make_certificate(folder: Path, name: str) -> tuple[str, str]:
    """Write a self-signed certificate; return the names of its key's and its own file."""
    key, certificate = folder / f"{name}-key.pem", folder / f"{name}.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
    files = ["-keyout", str(key), "-out", str(certificate), "-subj", f"/CN={name}"]
    subprocess.run([*words, *files], check=True, capture_output=True)
    return str(key), str(certificate)


class Garbler:
    """Passes one client's connection on, encrypted or not, and spoils it when told to.

    ``spoil("up", "garble")`` changes a bit of what the client sends next, ``"down"`` of what comes
    next from the server. ``"header"`` makes nonsense of its first bytes, and ``"cut"`` passes half
    of it on and ends both connections in good order.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._order = ("", "")
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Garbler:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.close()
        self._thread.join()
        self._listener.close()
        self._stopped.close()

    def spoil(self, direction: str, how: str) -> None:
        """Spoil what passes next in this direction; what follows it passes as it is."""
        self._order = (direction, how)

    def _run(self) -> None:
        # Each end by the one that its bytes go to: a new connection after a loss is one more pair.
        ways: dict[socket.socket, tuple[str, socket.socket]] = {}
        while True:
            ready = select.select([self._stopped, self._listener, *ways], [], [])[0]
            if self._stopped in ready:
                for end in ways:
                    end.close()
                return
            if self._listener in ready:
                client = self._listener.accept()[0]
                server = socket.create_connection(self._target)
                ways |= {client: ("up", server), server: ("down", client)}
            for end in filter(ways.__contains__, ready):
                # The other one of the pair may have ended it in this very round.
                if end in ways and not self._pass(end, *ways[end]):
                    for each in (end, ways[end][1]):
                        del ways[each]
                        each.close()

    def _pass(self, end: socket.socket, direction: str, other: socket.socket) -> bool:
        """Pass on what has come; return whether the connection goes on."""
        try:
            data = end.recv(65536)
            how = self._order[1] if data and self._order[0] == direction else ""
            if how:
                self._order = ("", "")
            other.sendall(_spoiled(data, how))
        except OSError:
            return False
        return bool(data) and how != "cut"


def _spoiled(data: bytes, how: str) -> bytes:
    if how == "cut":
        return data[: len(data) // 2]
    if how == "garble":
        return data[:-1] + bytes([data[-1] ^ 1])
    return bytes(3) + data[3:] if how == "header" else data


@contextlib.contextmanager
def silent_listener() -> Iterator[int]:
    """Listen on a port where connections are made and nobody ever says a word."""
    with socket.create_server((HOST, 0), backlog=16) as listener:
        yield listener.getsockname()[1]
