"""Runs a real gunicorn with ``--preload`` and two workers, and visits it from eight threads."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time

from tests.fixtures.program_setup import admin

VISITORS, VISITS = 8, 15
numbers = itertools.count()
counts = {"right": 0, "wrong": 0, "failed": 0}
pids: set[int] = set()
loaded: set[tuple[int, int]] = set()
troubles: list[str] = []


def visit(port: int) -> None:
    """Ask for a tag that nobody else asks for."""
    tag = f"visit-{next(numbers)}"
    try:
        visitor = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        visitor.request("GET", f"/?tag={tag}")
        response = visitor.getresponse()
        body = response.read()
        visitor.close()
        if response.status != 200:
            raise OSError(f"status {response.status}")
        answer = json.loads(body)
    except OSError as error:
        counts["failed"] += 1
        troubles.append(repr(error))
        return
    pids.add(answer["pid"])
    loaded.add(tuple(answer["loaded"]))
    counts["right" if answer["tag"] == tag else "wrong"] += 1


def wait_until_up(port: int, server: subprocess.Popen[bytes]) -> None:
    """Return when somebody answers at all."""
    deadline = time.monotonic() + 30
    while server.poll() is None and time.monotonic() < deadline:
        visitor = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        try:
            visitor.request("GET", "/nothing")
            visitor.getresponse().read()
            return
        except OSError:
            time.sleep(0.05)
        finally:
            visitor.close()
    raise SystemExit("gunicorn did not come up")


def main() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port = listener.getsockname()[1]
        words = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2"]
        words += ["--worker-class", os.environ["WORKER"], "--threads", os.environ["THREADS"]]
        if os.environ["WORKER"] == "gevent":
            words += ["--config", "python:tests.server.programs.gunicorn_gevent"]
        words += ["--bind", f"fd://{listener.fileno()}", "--log-level", "critical"]
        words += ["tests.server.programs.tagged_site:application"]
        with subprocess.Popen(words, pass_fds=[listener.fileno()]) as server:
            try:
                wait_until_up(port, server)
                visitors = [
                    threading.Thread(target=lambda: [visit(port) for _ in range(VISITS)])
                    for _ in range(VISITORS)
                ]
                for visitor in visitors:
                    visitor.start()
                for visitor in visitors:
                    visitor.join()
                rows = admin("SELECT id FROM information_schema.processlist")
            finally:
                server.terminate()
    [(parent, its_session)] = loaded or [(0, 0)]
    report = {
        **counts,
        "workers": len(pids),
        "preloaded": parent not in pids,
        "parents_session_lives": its_session in [row[0] for row in rows],
        "troubles": troubles[:3],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
