"""The servers of one cell, and the disasters that befall one of them."""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pymysql

from lifeline_lab.incidents.network import make_certificate
from lifeline_lab.servers import Server, start

ACCOUNT_NEEDS = "ALL PRIVILEGES ON *.*"
SMALL_PACKET = 64 * 1024
SHORT_WAIT = 1
LITTLE_ROOM = 12
PLENTY = 500
RECOVERY = {"mariadb": 5, "mysql": 4}
"""The innodb_force_recovery from which the server says 1836, to writes or to DDL."""


class Place:
    """Two servers: ``steady`` for incidents that harm one connection, ``fragile`` for the rest.

    Disasters are told apart by name and befall the fragile one only.
    """

    def __init__(self, flavour: str, seed: str, stack: ExitStack) -> None:
        chance = random.Random(f"place {seed} {flavour}")
        self.flavour = flavour
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="incidents-")))
        key, certificate = make_certificate(self.folder, "localhost")
        self.other_certificate = make_certificate(self.folder, "elsewhere")[1]
        tls = {"ssl_key": key, "ssl_cert": certificate}
        self.variables: dict[str, object] = {
            "wait_timeout": chance.choice((28800, 600, 120)),
            "interactive_timeout": chance.choice((28800, 3600)),
            "max_allowed_packet": chance.choice((4, 8, 16)) * 1024 * 1024,
        }
        self._stack = stack
        self._tls = tls
        self._fragile: Server | None = None
        self._lock = threading.Lock()
        self.steady = stack.enter_context(start(flavour, {**self.variables, **tls}))

    @property
    def fragile(self) -> Server:
        """The server that may be stopped, filled and blocked; started when first asked for."""
        with self._lock:
            if self._fragile is None:
                # Names are looked up, or the server would block no host; and with a limit from
                # the beginning, or MariaDB would never let it be changed.
                variables = {
                    **self.variables,
                    **self._tls,
                    "skip_name_resolve": False,
                    "max_user_connections": PLENTY,
                }
                self._fragile = self._stack.enter_context(start(self.flavour, variables))
            return self._fragile

    @contextlib.contextmanager
    def disaster(self, name: str) -> Iterator[None]:
        """Let a disaster befall the fragile server; what lasts is over at the block's end."""
        server = self.fragile
        with DISASTERS[name](server):
            yield


@contextlib.contextmanager
def _restart(server: Server) -> Iterator[None]:
    server.stop()
    server.start_again()
    yield


@contextlib.contextmanager
def _crash(server: Server) -> Iterator[None]:
    server.kill()
    server.start_again()
    yield


@contextlib.contextmanager
def _outage(server: Server) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start_again()


@contextlib.contextmanager
def _freeze(server: Server) -> Iterator[None]:
    server.pause()
    tasks = Path(f"/proc/{server.pid}/task")
    while not all(" T " in (task / "stat").read_text() for task in tasks.iterdir()):
        time.sleep(0.005)
    try:
        yield
    finally:
        server.resume()


@contextlib.contextmanager
def changed(server: Server, **variables: object) -> Iterator[None]:
    """Set global variables for the length of a block."""
    before = {name: server.query(f"SELECT @@global.{name}")[0][0] for name in variables}
    for name, value in variables.items():
        server.set_global(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            server.set_global(name, value)


@contextlib.contextmanager
def _full(server: Server, limit: str = "max_connections") -> Iterator[None]:
    _end_sessions(server)
    with changed(server, **{limit: LITTLE_ROOM}), ExitStack() as others:
        for _ in range(LITTLE_ROOM + 1):
            with contextlib.suppress(pymysql.err.OperationalError):
                others.enter_context(stranger(server))
        yield


def _end_sessions(server: Server) -> None:
    """End what earlier disasters left open: it would make room when it ends by itself."""
    left = f"SELECT id FROM information_schema.processlist WHERE user = '{server.user}'"
    server.end_sessions(row[0] for row in server.query(left))


def _full_for_each(server: Server) -> AbstractContextManager[None]:
    return _full(server, "max_user_connections")


@contextlib.contextmanager
def _recovery(server: Server) -> Iterator[None]:
    """InnoDB takes no writes, as while a damaged database is rescued."""
    _start_anew(server, RECOVERY[server.flavour])
    try:
        yield
    finally:
        _start_anew(server, 0)


def _start_anew(server: Server, force_recovery: int) -> None:
    server.stop()
    server.start_again(innodb_force_recovery=force_recovery)


@contextlib.contextmanager
def _locked_out(server: Server) -> Iterator[None]:
    there, elsewhere = f"'{server.user}'@'%'", f"'{server.user}'@'10.11.12.13'"
    server.query(f"RENAME USER {there} TO {elsewhere}")
    # Without this the server still believes that somebody may come from anywhere.
    server.query("FLUSH PRIVILEGES")
    try:
        yield
    finally:
        server.query(f"RENAME USER {elsewhere} TO {there}")


@contextlib.contextmanager
def _read_only(server: Server) -> Iterator[None]:
    with changed(server, read_only=1):
        yield


def _small_packets(server: Server) -> AbstractContextManager[None]:
    return changed(server, max_allowed_packet=SMALL_PACKET)


def _short_wait(server: Server) -> AbstractContextManager[None]:
    return changed(server, wait_timeout=SHORT_WAIT)


@contextlib.contextmanager
def _no_change(server: Server) -> Iterator[None]:
    yield


DISASTERS: dict[str, Callable[[Server], AbstractContextManager[None]]] = {
    "restart": _restart,
    "crash": _crash,
    "outage": _outage,
    "freeze": _freeze,
    "full": _full,
    "full for each account": _full_for_each,
    "recovery": _recovery,
    "locked out": _locked_out,
    "read only": _read_only,
    "small packets": _small_packets,
    "short wait": _short_wait,
    "touchy": _no_change,
}


def stranger(server: Server, user: str = "", host: str = "", **more: Any) -> Any:
    """Return another program's session, to be closed by the caller."""
    return pymysql.connect(
        host=host or server.host,
        port=more.pop("port", server.port),
        user=user or server.user,
        password=server.password,
        connect_timeout=5,
        read_timeout=30,
        **more,
    )
