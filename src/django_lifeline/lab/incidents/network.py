"""What stands between client and server, and what goes wrong there."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from django_lifeline.lab.servers.process import GuardedProcess

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


@contextlib.contextmanager
def silent_listener() -> Iterator[int]:
    """Listen on a port where connections are made and nobody ever says a word."""
    with socket.create_server((HOST, 0), backlog=16) as listener:
        yield listener.getsockname()[1]
