"""One running private server: start, stop, kill, pause, ask."""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lifeline_lab.servers.finding import find
from lifeline_lab.servers.installation import Installation, ServerFailed, run_as
from lifeline_lab.servers.process import GuardedProcess
from lifeline_lab.servers.template import copy_data_folder

HOST = "127.0.0.1"
USER = "lifeline"
PASSWORD = "lifeline-Secret-1"
# Below the ports that the kernel lends to clients, so that a killed server's stays free for it.
PORTS = range(20000, 30000)
START_TIMEOUT = 60.0
END_TIMEOUT = 20.0

SESSIONS = "SELECT id FROM information_schema.processlist"
NO_SUCH_THREAD = 1094

# Small and quick; none of it changes what a client sees.
BASE_VARIABLES: dict[str, object] = {
    "innodb_buffer_pool_size": "32M",
    "innodb_flush_log_at_trx_commit": 2,
    "innodb_flush_method": "O_DIRECT_NO_FSYNC",
    "performance_schema": "OFF",
    "skip_name_resolve": "ON",
    "skip_log_bin": None,
    "character_set_server": "utf8mb4",
}
FLAVOUR_VARIABLES: dict[str, dict[str, object]] = {
    "mariadb": {"innodb_log_file_size": "8M", "aria_pagecache_buffer_size": "1M"},
    "mysql": {"innodb_redo_log_capacity": "8M"},
}
# A user's account may do anything with data, but is no administrator: a full server refuses it
# and a read-only one stops it, as happens to users.
ACCOUNT = """\
CREATE USER IF NOT EXISTS '{user}'@'%' IDENTIFIED BY '{password}';
GRANT ALL PRIVILEGES ON *.* TO '{user}'@'%' WITH GRANT OPTION;
REVOKE {admin} ON *.* FROM '{user}'@'%';
"""
ADMIN = {
    "mariadb": "SUPER, CONNECTION ADMIN, READ_ONLY ADMIN",
    "mysql": "SUPER, CONNECTION_ADMIN, SYSTEM_VARIABLES_ADMIN",
}


def start(flavour: str, variables: Mapping[str, object] | None = None) -> Server:
    """Start a private server and return it when it answers; use it in a ``with`` block.

    ``variables`` are the server's own; True and False become ON and OFF, None gives the bare
    option. Raises `ServerMissing` when there is no such program, `ServerFailed` with the
    server's log when it does not come up.
    """
    server = Server(find(flavour), variables or {})
    try:
        server.start_again()
    except BaseException:
        server.close()
        raise
    return server


class Server:
    """A private server in a temporary folder, reachable at ``host``:``port`` and ``socket``."""

    host = HOST
    user = USER
    password = PASSWORD

    def __init__(self, installation: Installation, variables: Mapping[str, object]) -> None:
        self.flavour = installation.flavour
        self.version = installation.version
        self.folder = Path(tempfile.mkdtemp(prefix="lifeline-"))
        self.socket = str(self.folder / "server.sock")
        self.port = free_port()
        self._installation = installation
        self._variables = dict(variables)
        self._process: GuardedProcess | None = None
        self._owner = os.getpid()
        atexit.register(self.close)

    def __repr__(self) -> str:
        state = "running" if self._running() else "stopped"
        return f"<{self.flavour} {self.version} at {self.host}:{self.port}, {state}>"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The server's process id; `ServerFailed` when it was never started."""
        return self._started().pid

    def start_again(self, **variables: object) -> None:
        """Start, on the same port and with the same data; returns when it answers.

        ``variables`` are added to those it had, or take their place, from now on. Does nothing
        when it runs already; with other variables that is `ServerFailed`.
        """
        if self._running():
            if variables:
                raise ServerFailed(f"{self!r} is running: stop() it before it can start anew.")
            return
        self._variables.update(variables)
        data = self.folder / "data"
        if not data.exists():
            copy_data_folder(self._installation, data)
            (self.folder / "tmp").mkdir()
            account = ACCOUNT.format(user=USER, password=PASSWORD, admin=ADMIN[self.flavour])
            (self.folder / "account.sql").write_text(account)
        self._process = GuardedProcess(self._words(), self.log_file, self.folder)
        self._wait_until_ready()

    def stop(self) -> None:
        """Shut down in good order; the data stays for `start_again`."""
        if self._process is not None and self._process.running():
            self.resume()
            self._process.end(timeout=30)

    def kill(self) -> None:
        """SIGKILL; the data stays for `start_again`."""
        if self._process is not None:
            self._process.end()

    def pause(self) -> None:
        """Freeze (SIGSTOP): connections stay open and nothing answers any more."""
        process = self._started()
        process.signal(signal.SIGSTOP)
        process.await_stop()

    def resume(self) -> None:
        """End a `pause`."""
        self._started().signal(signal.SIGCONT)

    def close(self) -> None:
        """End the server and remove its folder; harmless to call again."""
        if self._owner != os.getpid():
            return
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)

    def query(self, sql: str, *args: object) -> list[tuple[Any, ...]]:
        """Run one statement as the administrator, on a new connection; return its rows."""
        with self._administrator() as connection, connection.cursor() as cursor:
            cursor.execute(sql, args or None)
            return list(cursor.fetchall())

    def set_global(self, name: str, value: object) -> None:
        """``SET GLOBAL name = value``; sessions that are open already keep their own value."""
        self.query(f"SET GLOBAL {_identifier(name)} = %s", value)

    def end_sessions(self, sessions: Iterable[int]) -> None:
        """KILL sessions, and return when they are gone; one that ends by itself is fine."""
        from pymysql.err import OperationalError

        left = set(sessions)
        for session in left:
            try:
                self.query(f"KILL {session:d}")
            except OperationalError as error:
                if error.args[0] != NO_SUCH_THREAD:
                    raise
        deadline = time.monotonic() + END_TIMEOUT
        while left & {row[0] for row in self.query(SESSIONS)}:
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self!r} has not ended the sessions {sorted(left)}.")
            time.sleep(0.005)

    def create_database(self, name: str) -> None:
        """Create an empty database with the character set that Django expects."""
        self.query(f"CREATE DATABASE {_identifier(name)} CHARACTER SET utf8mb4")

    def drop_database(self, name: str) -> None:
        """Remove a database, if it is there."""
        self.query(f"DROP DATABASE IF EXISTS {_identifier(name)}")

    def provide_md5(self) -> None:
        """Give a MySQL 9 the MD5() and SHA1() that Django uses and it no longer has built in."""
        if self.flavour == "mysql" and int(self.version.split(".")[0]) >= 9:
            installed = self.query(
                "SELECT 1 FROM mysql.component WHERE component_urn LIKE %s", "%classic_h%"
            )
            if not installed:
                self.query("INSTALL COMPONENT 'file://component_classic_hashing'")

    def log(self) -> str:
        """Everything the server has written to its error log so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def log_file(self) -> Path:
        """Where the server writes its error log."""
        return self.folder / "server.log"

    def _started(self) -> GuardedProcess:
        if self._process is None:
            raise ServerFailed(f"{self!r} was never started.")
        return self._process

    def _running(self) -> bool:
        return self._process is not None and self._process.running()

    @contextlib.contextmanager
    def _administrator(self) -> Iterator[Any]:
        import pymysql  # here, since what only looks for servers does not need it

        connection = pymysql.connect(
            user="root", autocommit=True, ssl_disabled=True, read_timeout=60, defer_connect=True
        )
        connection.connect(self._connect_socket())
        try:
            yield connection
        finally:
            connection.close()

    def _connect_socket(self) -> socket.socket:
        from pymysql.err import OperationalError

        # PyMySQL would leave its socket open where the server does not listen yet.
        end = socket.socket(socket.AF_UNIX)
        end.settimeout(10)
        try:
            end.connect(self.socket)
        except OSError as error:
            end.close()
            raise OperationalError(2002, f"{self!r}: {error}") from error
        return end

    def _words(self) -> list[str]:
        own = {
            "datadir": self.folder / "data",
            "tmpdir": self.folder / "tmp",
            "socket": self.socket,
            "pid_file": self.folder / "server.pid",
            "init_file": self.folder / "account.sql",
            "bind_address": HOST,
            "port": self.port,
        }
        variables = {
            **BASE_VARIABLES,
            **FLAVOUR_VARIABLES[self.flavour],
            **self._variables,
            **own,
        }
        given = [_option(name, value) for name, value in variables.items()]
        # Nobody's my.cnf may change what is tested.
        return [
            *self._installation.program,
            "--no-defaults",
            *run_as(),
            *self._installation.arguments,
            *given,
        ]

    def _wait_until_ready(self) -> None:
        from pymysql.err import Error

        deadline = time.monotonic() + START_TIMEOUT
        while self._running() and time.monotonic() < deadline:
            with contextlib.suppress(Error):
                self.query("SELECT 1")
                return
            time.sleep(0.02)
        raise ServerFailed(f"{self!r} did not start. Its log ends:\n{self.log()[-3000:]}")


def _option(name: str, value: object) -> str:
    name = name.replace("_", "-")
    if value is None:
        return f"--{name}"
    if isinstance(value, bool):
        value = "ON" if value else "OFF"
    return f"--{name}={value}"


def _identifier(name: str) -> str:
    if not re.fullmatch(r"[\w.]+", name):
        raise ValueError(f"{name!r} is not a plain name.")
    return ".".join(f"`{part}`" for part in name.split("."))


def free_port() -> int:
    """A port on which nobody listens, and which the kernel lends to no client."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """As many ports, each another one.

    They are drawn by the system: tests that run side by side have seeded Python's own numbers
    alike, and would draw the same ports.
    """
    ports: list[int] = []
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            ports.append(port)
            if len(ports) == count:
                return ports
    raise ServerFailed(f"No free port on {HOST} between {PORTS.start} and {PORTS.stop}.")
