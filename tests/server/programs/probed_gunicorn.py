"""Runs a real gunicorn with two workers, and probes it from other processes, as containers do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from tests.fixtures.program_setup import SETUP
from tests.server.programs.toolbox import LIFELINE, say, wait_until

from lifeline_lab.servers import Server, start

WORKERS = 2
SETTINGS = "tests.server.programs.probed_settings"


class Site:
    """The site, and what one can see of it from outside."""

    def __init__(self, server: Server, listener: socket.socket, folder: str) -> None:
        self.server = server
        self.listener = listener
        host, port = listener.getsockname()[:2]
        self.address = f"http://{host}:{port}"
        database = {
            "ENGINE": LIFELINE,
            "NAME": "probed",
            "USER": server.user,
            "PASSWORD": server.password,
            "HOST": server.host,
            "PORT": server.port,
        }
        told = {"driver": SETUP["driver"], "database": database}
        self.env = {
            **os.environ,
            "TMPDIR": folder,  # what the processes write is nobody else's
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "PROBED_SITE": json.dumps(told),
        }

    def serve(self) -> subprocess.Popen[bytes]:
        words = ["gunicorn", "--workers", str(WORKERS), "--bind", f"fd://{self.listener.fileno()}"]
        words += ["--log-level", "critical", "tests.server.programs.probed_site:application"]
        return subprocess.Popen(
            [sys.executable, "-m", *words], env=self.env, pass_fds=[self.listener.fileno()]
        )

    def visit(self, _: int = 0) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.address}/", timeout=30) as response:
            told: dict[str, Any] = json.load(response)
        return told

    def visits(self) -> list[dict[str, Any]]:
        """What visitors who come at the same time are told."""
        with ThreadPoolExecutor(2 * WORKERS) as visitors:
            return list(visitors.map(self.visit, range(2 * WORKERS)))

    def all_answer(self, *, well: bool) -> bool:
        """Whether each worker was met, and did its work or failed at it."""
        met = {told["pid"] for told in self.visits() if (told["failed"] is None) is well}
        return len(met) == WORKERS

    def probe(self, *words: str) -> tuple[int, str]:
        """Run the command; its exit status, and what it printed without what changes."""
        words = ("-m", "django_lifeline", "status", *words)
        done = subprocess.run(
            [sys.executable, *words], env=self.env, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout.replace(self.address, "site") + done.stderr

    def written(self) -> tuple[int, list[str]]:
        """The exit status by what the workers wrote, and the states that are told."""
        status, said = self.probe("--exit-code")
        return status, [line.rpartition(" ")[2] for line in said.splitlines()]

    def asked(self, page: str) -> tuple[int, str]:
        return self.probe("--url", f"{self.address}/health/{page}/")

    def sessions_begun(self) -> int:
        [(_, count)] = self.server.query("SHOW GLOBAL STATUS LIKE 'Connections'")
        return int(count)


def observe(site: Site) -> dict[str, Any]:
    report: dict[str, Any] = {"before the site": site.probe("--exit-code")}
    with site.serve() as gunicorn:
        try:
            site.visit()  # waits until somebody accepts
            wait_until(lambda: site.all_answer(well=True), "for both workers")
            wait_until(lambda: site.written() == (0, ["ok", "ok"]), "for what they write")
            before = site.sessions_begun()
            report["at work"] = [site.written(), site.asked("ready"), site.asked("live")]
            # Each question of the lab's own is a session as well.
            report["sessions of the probes"] = site.sessions_begun() - before - 1
            report["one is missing"] = site.probe("--exit-code", "--at-least", str(WORKERS + 1))[0]
            site.server.stop()
            wait_until(lambda: site.all_answer(well=False), "for failures")
            report["server away"] = [site.asked("ready"), site.asked("live")]
            wait_until(
                lambda: site.all_answer(well=False) and site.written()[0] == 1,
                "for what they write",
            )
            site.server.start_again()
            wait_until(lambda: site.all_answer(well=True), "for the server")
            wait_until(lambda: site.written() == (0, ["ok", "ok"]), "for what they write")
            report["server back"] = site.asked("ready")
        finally:
            gunicorn.terminate()
    site.listener.close()
    report["site ended"] = [site.probe("--exit-code"), site.asked("live")[0]]
    return report


def main() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(start(SETUP["server"]["flavour"]))
        server.create_database("probed")
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        say(observe(Site(server, listener, folder)))


if __name__ == "__main__":
    main()
