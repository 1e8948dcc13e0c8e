"""A real HAProxy: one address that leads to one of several servers, and is told to which."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from lifeline_lab.servers import ServerMissing
from lifeline_lab.servers.process import GuardedProcess
from lifeline_lab.servers.server import HOST, free_port

READY_WITHIN = 10.0

GLOBAL = """\
global
    stats socket {folder}/admin.sock mode 600 level admin expose-fd listeners
    hard-stop-after {hard_stop}s
defaults
    mode tcp
    timeout connect 2s
    # As with health checks: a server that is down is not tried for seconds.
    retries 0
    timeout client 60s
    timeout server 60s
"""
ROUTES = """\
frontend name
    bind {host}:{port}
    default_backend servers
backend servers
{servers}
"""


class Place(Protocol):
    """Where a server listens."""

    @property
    def host(self) -> str:
        """Its address."""

    @property
    def port(self) -> int:
        """Its port."""


class HAProxy:
    """Listens at ``host``:``port``; the first of the servers gets all connections at first.

    ``hard_stop`` is for how many seconds the old process serves open connections after a reload.
    """

    host = HOST
    env: Mapping[str, str] = {}

    def __init__(self, servers: Sequence[Place], *, hard_stop: int = 2) -> None:
        program = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
        if program is None:
            raise ServerMissing("There is no haproxy: apt-get install haproxy")
        self._program = program
        self._servers = list(servers)
        self._hard_stop = hard_stop
        self._leads_to = 0
        self._folder = Path(tempfile.mkdtemp(prefix="lifeline-haproxy-"))
        self.port = free_port()
        self._processes = [self._start()]

    def __enter__(self) -> HAProxy:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._processes:
            process.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def lead_to(self, number: int) -> None:
        """Lead new connections to this server; those that are open stay where they are (drain)."""
        self._command(f"set server servers/s{number} state ready")
        if number != self._leads_to:
            self._command(f"set server servers/s{self._leads_to} state drain")
        self._leads_to = number

    def end_sessions(self, number: int) -> None:
        """End the connections that lead to this server."""
        self._command(f"shutdown sessions server servers/s{number}")

    def reload(self) -> None:
        """Start a new process that takes the address over; the old one serves what is open."""
        self._processes.append(self._start("-sf", str(self._processes[-1].pid)))

    def clear(self) -> None:
        """Begin to count anew."""
        self._command("clear counters all")

    def most_connects(self) -> int:
        """The most connections that were made within one second, since `clear`."""
        told = dict(
            line.split(": ", 1) for line in self._command("show info").splitlines() if ": " in line
        )
        return int(told["MaxConnRate"])

    def _start(self, *words: str) -> GuardedProcess:
        config = self._folder / "haproxy.cfg"
        config.write_text(
            GLOBAL.format(folder=self._folder, hard_stop=self._hard_stop) + self._routes()
        )
        command = [self._program, "-db", "-f", str(config), *words]
        process = GuardedProcess(command, self._folder / "haproxy.log", self._folder)
        self._wait_until_ready(process)
        return process

    def _routes(self) -> str:
        lines = [
            f"    server s{number} {server.host}:{server.port}"
            + ("" if number == self._leads_to else " disabled")
            for number, server in enumerate(self._servers)
        ]
        return ROUTES.format(host=HOST, port=self.port, servers="\n".join(lines))

    def _wait_until_ready(self, process: GuardedProcess) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline and process.running():
            with contextlib.suppress(OSError):
                told = self._command("show info")
                if f"Pid: {process.pid}\n" in told:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"haproxy: {(self._folder / 'haproxy.log').read_text()[-1000:]}")

    def _command(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(5)
            admin.connect(str(self._folder / "admin.sock"))
            admin.sendall(f"{command}\n".encode())
            answer = b""
            while data := admin.recv(65536):
                answer += data
        return answer.decode()
