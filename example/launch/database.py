"""The database server that the example starts, and what may be done to it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pymysql

from lifeline_lab.servers import Server, start
from pulse.record import append

NAME = "autoemail"
VARIABLES = {
    "max_connections": 40,
    "max_allowed_packet": 1 << 20,
    # Every client sees what the server says of time; a scheduler asks for "now" in UTC anyway.
    "default_time_zone": "+00:00",
}
SAMPLE_PAUSE = 1.0
LARGEST = 4_000_000
"""Bytes after which the file of the pulse begins anew."""


def start_server() -> Server:
    """A MariaDB in a temporary folder, with an empty database."""
    server = start("mariadb", VARIABLES)
    server.create_database(NAME)
    return server


def url(server: Server) -> str:
    return f"mysql://{server.user}:{server.password}@{server.host}:{server.port}/{NAME}"


def deeds(server: Server) -> dict[str, Callable[..., object]]:
    """What the trouble panel may have done; one at a time."""
    lock = threading.Lock()

    def restart(*, kill: bool = False) -> None:
        with lock:
            server.kill() if kill else server.stop()
            server.start_again()

    def set_global(*, name: str, value: int) -> None:
        if name != "wait_timeout":
            raise ValueError(f"{name} is not to be changed")
        server.set_global(name, value)

    return {"restart": restart, "set_global": set_global}


def sample(server: Server, pulse: Path, stop: threading.Event) -> None:
    """Note every second how many connections the server has, until *stop* is set."""
    while not stop.wait(SAMPLE_PAUSE):
        try:
            rows = server.query(
                "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = %s", server.user
            )
            count = int(rows[0][0])
        except pymysql.err.Error:
            count = 0
        append(pulse, "connections", open=count)
        if pulse.stat().st_size > LARGEST:
            os.truncate(pulse, 0)
