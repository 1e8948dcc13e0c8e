"""What the site may ask of the program that started it, over a socket in their common folder.

Only the starter can restart the server, since it is the only one who knows that the server is a
toy of this example and nobody's database.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

NAME = "control.sock"
TIMEOUT = 60.0


class NotOurs(RuntimeError):
    """The database server was not started by the example, so it is left alone."""


def ask(folder: Path, what: str, **arguments: object) -> None:
    """Have the starter do something; returns when it is done.

    Raises `NotOurs` where nobody listens, ``RuntimeError`` with the reason where it failed.
    """
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(TIMEOUT)
        try:
            end.connect(str(folder / NAME))
        except OSError as error:
            raise NotOurs("Only possible with the server that the example starts.") from error
        with end.makefile("rw") as file:
            file.write(json.dumps({"what": what, **arguments}) + "\n")
            file.flush()
            answer = json.loads(file.readline() or '{"error": "no answer"}')
    if answer.get("error"):
        raise RuntimeError(answer["error"])


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        asked = json.loads(self.rfile.readline())
        try:
            self.server.deeds[asked.pop("what")](**asked)
            answer: dict[str, Any] = {}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        self.wfile.write(json.dumps(answer).encode() + b"\n")


class Control(socketserver.ThreadingUnixStreamServer):
    """Listens in a thread of its own until it is closed."""

    daemon_threads = True

    def __init__(self, folder: Path, deeds: Mapping[str, Callable[..., object]]) -> None:
        self.deeds = deeds
        super().__init__(str(folder / NAME), _Handler)
        os.chmod(folder / NAME, 0o600)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
