"""Starts a real gunicorn or uvicorn with the lab's site, and fetches pages from it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from lifeline_lab.servers.server import free_port

SITE = "lifeline_lab.programs.website"
GUNICORN = ("gunicorn", f"{SITE}.wsgi:application", "--workers", "1", "--log-level", "warning")
KINDS: dict[str, tuple[str, ...]] = {
    "sync": (*GUNICORN, "--worker-class", "sync"),
    "gthread": (*GUNICORN, "--worker-class", "gthread", "--threads", "4"),
    "gevent": (*GUNICORN, "--worker-class", "gevent", "--worker-connections", "200"),
    "asgi": ("uvicorn", f"{SITE}.asgi:application", "--log-level", "warning"),
}
START_TIMEOUT = 25.0


class PageFailed(Exception):
    """The site answered with an error page; ``args[0]`` is the HTTP status."""


@contextlib.contextmanager
def site(kind: str) -> Iterator[str]:
    """Run the site; give its address once it answers."""
    port = free_port()
    bind = ["--bind", f"127.0.0.1:{port}"] if kind != "asgi" else ["--port", str(port)]
    process = subprocess.Popen([sys.executable, "-m", *KINDS[kind], *bind])
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_up(address, process)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_up(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait for the first answer; a server that ends or stays silent is an error."""
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, PageFailed):
            fetch(f"{address}/ping/")
            return
        time.sleep(0.05)
    raise RuntimeError("the web server did not start")


def fetch(address: str, timeout: float = 20) -> str:
    """Return a page; `PageFailed` for an error page."""
    try:
        with urllib.request.urlopen(address, timeout=timeout) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            raise PageFailed(error.code, error.reason) from None


def fetch_json(address: str, timeout: float = 20) -> Any:
    """Return a page's JSON."""
    return json.loads(fetch(address, timeout))
