"""Runs the site of Channels under a real ASGI server, talks to it, and ends its connections."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from typing import IO, Any

import websocket
from tests.integrations.programs.watch import (
    aborted,
    kill_all,
    listens,
    say,
    sessions_of_this_database,
    wait_until,
)

PATIENCE = 20
CROWD = 30
CROWDS = ("asynchronous", "orm", "news", "scoped_news")
INSTALL = os.environ["INSTALL"]
GIVES_BACK = {
    "no": ("asynchronous", "scoped_news"),
    "yes": ("asynchronous", "orm", "scoped_news"),
}
SERVERS = {
    "uvicorn": "uvicorn --ws wsproto --log-level error --fd {fd}",
    "daphne": "daphne --verbosity 0 --fd {fd}",
}


class Site:
    """The running site."""

    def __init__(self, port: int, log: IO[str]) -> None:
        self.port = port
        self.log = log

    def connect(self, consumer: str) -> websocket.WebSocket:
        """Open a WebSocket to one of the consumers."""
        return websocket.create_connection(
            f"ws://127.0.0.1:{self.port}/{consumer}", timeout=PATIENCE
        )

    def get(self, page: str) -> dict[str, int]:
        """What a page says: ``look`` at the site's pool and threads, or ``resume``."""
        address = f"http://127.0.0.1:{self.port}/{page}"
        with urllib.request.urlopen(address, timeout=PATIENCE) as response:
            found: dict[str, int] = json.load(response)
            return found

    def errors(self) -> int:
        """How many errors of the database are in the server's log."""
        self.log.seek(0)
        return self.log.read().count("OperationalError: (")


@contextlib.contextmanager
def served() -> Iterator[Site]:
    """The site under the server that the environment names."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        tempfile.TemporaryFile("w+") as log,
    ):
        port, fd = listener.getsockname()[1], listener.fileno()
        words = [sys.executable, "-m", *SERVERS[os.environ["SERVER"]].format(fd=fd).split()]
        words.append("tests.integrations.programs.channels_site:application")
        with subprocess.Popen(words, pass_fds=[fd], stdout=log, stderr=log) as server:
            try:
                wait_until(lambda: listens(port))
                yield Site(port, log)
            finally:
                server.terminate()
                server.wait(PATIENCE)


def asked(talk: websocket.WebSocket, text: str) -> str:
    """What the consumer answers, "gone" if it ended instead."""
    with contextlib.suppress(websocket.WebSocketException, OSError):
        talk.send(text)
        return heard(talk)
    return "gone"


def heard(talk: websocket.WebSocket) -> str:
    """The next message, "gone" if there will be none."""
    with contextlib.suppress(websocket.WebSocketException, OSError):
        return str(talk.recv()) or "gone"
    return "gone"


def over_a_loss(site: Site, consumer: str) -> list[str]:
    """The answers before and after the server ended all sessions while the consumer waited."""
    talk = site.connect(consumer)
    first = asked(talk, "before")
    kill_all()
    second = asked(talk, "after")
    talk.close()
    return [first, second]


def over_a_loss_in_a_pause(site: Site) -> list[str]:
    """The same in a consumer that is in the middle of a message."""
    talk = site.connect("pauses")
    first = asked(talk, "before")
    kill_all()
    site.get("resume")
    second = heard(talk)
    talk.close()
    return [first, second]


def news(site: Site) -> list[str]:
    """What two readers are pushed, before and after a loss."""
    readers = [site.connect("news") for _ in "12"]
    readers[0].send("first")
    told = [heard(each) for each in readers]
    kill_all()
    readers[0].send("second")
    told += [heard(each) for each in readers]
    for each in readers:
        each.close()
    return told


def together(site: Site) -> list[str]:
    """Whether two consumers' questions are in the database at the same time."""
    talks = [site.connect("together") for _ in "12"]
    for each in talks:
        each.send("")
    answers = [heard(each) for each in talks]
    for each in talks:
        each.close()
    return answers


def crowd(site: Site, consumer: str) -> dict[str, Any]:
    """Many sockets that have all asked, or were pushed to, and wait now: what do they hold?"""
    before = site.get("look")["threads"]
    talks = [site.connect(consumer) for _ in range(CROWD)]
    if "news" in consumer:
        talks[0].send("all")
        right = all(heard(each) == "all" for each in talks)
    else:
        right = all(asked(each, str(number)) == str(number) for number, each in enumerate(talks))
    if consumer in GIVES_BACK[INSTALL]:
        wait_until(lambda: site.get("look")["used"] == 0, "for connections to go back")
    found = site.get("look")
    for each in talks:
        each.close()
    return {
        "right": right,
        "used": found["used"],
        "sessions_are_few": len(sessions_of_this_database()) <= 10,
        "threads_are_few": found["threads"] < before + CROWD / 2,
    }


def main() -> None:
    with served() as site:
        said: dict[str, Any] = {
            name: over_a_loss(site, name) for name in ("asynchronous", "orm", "synchronous")
        }
        said["pauses"] = over_a_loss_in_a_pause(site)
        said["news"] = news(site)
        if os.environ.get("CROWD"):
            said["together"] = together(site)
            said["crowd"] = {name: crowd(site, name) for name in CROWDS}
        said["errors"] = site.errors()
        if os.environ.get("CROWD"):
            talk = site.connect("asynchronous")
            asked(talk, "once more")
            talk.close()
            open_ones, before = len(sessions_of_this_database()), aborted()
    if os.environ.get("CROWD"):
        wait_until(lambda: not sessions_of_this_database(), "for the sessions to end")
        said["polite"] = [open_ones > 0, aborted() == before]
    say(said)


if __name__ == "__main__":
    main()
