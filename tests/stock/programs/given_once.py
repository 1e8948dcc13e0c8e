"""A statement is lost on the way with what was given with it, which can be read only once.

Or of which a part has gone: the rows of a generator, a file that LOAD DATA sends, a pipe.
"""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db import connections
from tests.fixtures.program_setup import SETUP, admin
from tests.stock.programs.workshop import alias, outcome, piece_of_work_ends, run, say

ROWS = 20_000
LINE = "{}\t" + "y" * 300 + "\n"
GOES_THROUGH = 1_000_000
"""Bytes of it that reach the server."""
SERVER = (SETUP["server"]["host"], SETUP["server"]["port"])
LOADED = "CREATE TABLE loaded (id INT PRIMARY KEY AUTO_INCREMENT, number INT, text VARCHAR(400))"


class Narrows:
    """Passes one connection on, and cuts it in the middle of what its client sends."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(SERVER)
                threading.Thread(target=self._answers, args=(server, client), daemon=True).start()
                threading.Thread(target=self._commands, args=(client, server), daemon=True).start()

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)

    def _commands(self, client: socket.socket, server: socket.socket) -> None:
        sent = 0
        with suppress(OSError):
            while data := client.recv(4096):
                server.sendall(data)
                sent += len(data)
                if sent > GOES_THROUGH and not self.cut:
                    self.cut = True
                    time.sleep(0.3)  # until what the client sends fills its buffers
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.close()
                    break
            server.shutdown(socket.SHUT_WR)


@contextmanager
def file() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "rows.txt")
        path.write_text("".join(map(LINE.format, range(ROWS))))
        yield str(path)


@contextmanager
def pipe() -> Iterator[str]:
    reading, writing = os.pipe()

    def fill() -> None:
        with suppress(OSError), open(writing, "w") as end:
            for number in range(ROWS):
                end.write(LINE.format(number))

    threading.Thread(target=fill, daemon=True).start()
    try:
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)


def load(source: Any, kind: str) -> list[Any]:
    """LOAD DATA on a connection that is cut: an error or not, and how many rows, how often."""
    admin("DROP TABLE IF EXISTS loaded")
    admin(f"{LOADED} ENGINE={kind}")
    proxy = Narrows()
    name = alias(PORT=proxy.port, OPTIONS={"local_infile": True})
    run(name, "SELECT 1")
    with source() as path:
        told = outcome(
            lambda: run(name, f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE loaded (number, text)")
        )
    connections[name].close()
    [[rows, different]] = admin("SELECT COUNT(*), COUNT(DISTINCT number) FROM loaded")
    return [isinstance(told, str), rows < ROWS, rows == different, rows if kind == "InnoDB" else 0]


def batch_of_a_generator() -> list[Any]:
    """Its first row is more than the session takes, though not than the server does by now."""
    name = alias()
    [[before]] = admin("SELECT @@global.max_allowed_packet")
    admin("DROP TABLE IF EXISTS loaded")
    admin(LOADED.replace("VARCHAR(400)", "LONGTEXT"))
    try:
        admin("SET GLOBAL max_allowed_packet = 1048576")
        run(name, "SELECT 1")
        piece_of_work_ends(name)
        admin("SET GLOBAL max_allowed_packet = 16777216")

        def rows() -> Iterator[tuple[int, str]]:
            yield 0, "x" * 1_500_000
            for number in range(1, 5):
                yield number, "x"

        def work() -> None:
            with connections[name].cursor() as cursor:
                cursor.executemany("INSERT INTO loaded (number, text) VALUES (%s, %s)", rows())

        told = [isinstance(outcome(work), str)]
        stored = admin("SELECT number FROM loaded")
        told.append(len(stored) == (0 if told[0] else 5))
        piece_of_work_ends(name)
        return [*told, outcome(work), admin("SELECT COUNT(*) FROM loaded")[0][0] - len(stored)]
    finally:
        connections[name].close()
        admin("SET GLOBAL max_allowed_packet = %s", before)


[[allowed]] = admin("SELECT @@global.local_infile")
admin("SET GLOBAL local_infile = 1")
report: dict[str, Any] = {"batch": batch_of_a_generator()}
for source in (file, pipe):
    for kind in ("InnoDB", "MyISAM"):
        report[f"{source.__name__}, {kind}"] = load(source, kind)
admin("SET GLOBAL local_infile = %s", allowed)
say(report)
