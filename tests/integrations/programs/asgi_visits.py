"""Runs the site under a real uvicorn and visits it by HTTP and WebSocket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import urllib.request
from typing import Any

import websocket
from tests.integrations.programs.watch import kill_all, listens, say, wait_until

PATIENCE = 20
INSTALLED = os.environ["INSTALL"] == "yes"


def get(port: int, path: str) -> Any:
    """What the site says, as JSON."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=PATIENCE) as response:
        return json.load(response)


def used(port: int, wanted: int | None) -> int:
    """How many connections are held, once they are as many as wanted."""
    if wanted is not None:
        wait_until(lambda: get(port, "look")["used"] == wanted, "for connections to go back")
    return int(get(port, "look")["used"])


def visit(port: int) -> dict[str, Any]:
    """A request, two WebSockets that stay open, a loss of all connections, and the same again."""
    said: dict[str, Any] = {"view": get(port, "?tag=a")}
    said["after_view"] = used(port, 0 if INSTALLED else None)
    sockets = [
        websocket.create_connection(f"ws://127.0.0.1:{port}/", timeout=PATIENCE) for _ in "12"
    ]
    talk = []
    for number, each in enumerate(sockets):
        each.send(f"hello {number}")
        talk.append(each.recv())
    said["while_sockets_wait"] = used(port, 0 if INSTALLED else None)
    said["killed"] = kill_all() > 0
    for each in sockets:
        each.send("together")
    talk += [each.recv() for each in sockets]
    sockets[0].send("fail")
    with contextlib.suppress(websocket.WebSocketException):
        talk.append(sockets[0].recv())
    sockets[1].send("going on")
    talk.append(sockets[1].recv())
    sockets[1].close()
    said["talk"] = talk
    said["view_after"] = get(port, "?tag=b")
    said["at_the_end"] = used(port, 0 if INSTALLED else None)
    return said


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        words = [sys.executable, "-m", "uvicorn", "--fd", str(listener.fileno())]
        words += ["--ws", "wsproto", "--lifespan", "off", "--log-level", "critical"]
        words += ["tests.integrations.programs.asgi_site:application"]
        with subprocess.Popen(words, pass_fds=[listener.fileno()]) as server:
            try:
                wait_until(lambda: listens(port))
                say(visit(port))
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
