"""The example is a project of its own: its modules are found in its own folder."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.databases import fresh_database
from tests.fixtures.servers import started

from lifeline_lab.servers import Server

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "example"
PROGRAMS = Path(__file__).parent / "programs"

# As it was before a fixture changes it: servers are prepared in the user's cache folder.
ENVIRON = dict(os.environ)

sys.path.append(str(EXAMPLE))


def environment(**more: str) -> dict[str, str]:
    """What a process of the example needs to find its modules."""
    paths = os.pathsep.join([str(EXAMPLE), str(ROOT / "src"), str(ROOT / "lab"), str(ROOT)])
    settings = {"PYTHONPATH": paths, "DJANGO_SETTINGS_MODULE": "autoemail.settings"}
    return {**ENVIRON, **settings, **more}


def finish(words: list[str], env: dict[str, str], timeout: float = 60) -> str:
    """Run to the end and return what was printed; one that fails shows everything it said."""
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def mail_server() -> Iterator[Server]:
    """A MariaDB for the module."""
    with started("mariadb") as server:
        yield server


@pytest.fixture(scope="module")
def mail_environment(
    mail_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of the example's processes, on an empty database with its tables."""
    with fresh_database(mail_server) as name:
        address = f"{mail_server.host}:{mail_server.port}/{name}"
        env = environment(
            DATABASE_URL=f"mysql://{mail_server.user}:{mail_server.password}@{address}",
            EXAMPLE_FOLDER=str(tmp_path_factory.mktemp("example")),
            CLAIM_SECONDS="30",
        )
        manage = [sys.executable, str(EXAMPLE / "manage.py")]
        finish([*manage, "migrate", "--verbosity", "0"], env)
        yield env


@dataclass
class Visitor:
    """Somebody with a browser that knows no JavaScript."""

    address: str
    jar: http.cookiejar.CookieJar = field(default_factory=http.cookiejar.CookieJar)

    def get(self, path: str) -> str:
        return self._open(urllib.request.Request(self.address + path))

    def post(self, path: str, **values: str) -> str:
        token = {cookie.name: cookie.value for cookie in self.jar}.get("csrftoken", "")
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token, **values}).encode()
        return self._open(urllib.request.Request(self.address + path, data))

    def status(self, path: str) -> int:
        try:
            self.get(path)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        return 200

    def log_in(self, password: str) -> None:
        self.get("admin/login/")
        self.post("admin/login/", username="staff", password=password, next="/")

    def _open(self, request: urllib.request.Request) -> str:
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        with opener.open(request, timeout=30) as answer:
            return str(answer.read().decode())


@dataclass(frozen=True)
class Running:
    """The whole example, as `scripts/example` starts it."""

    address: str
    password: str
    folder: Path

    def arrived(self) -> list[dict[str, Any]]:
        file = self.folder / "mails.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def start_example() -> Iterator[Callable[..., Running]]:
    """``start_example("--arm", "stock")``: started with these choices, ended after the test."""
    with ExitStack() as stack:
        yield lambda *choices: stack.enter_context(running_example(*choices))


@contextmanager
def running_example(*choices: str) -> Iterator[Running]:
    """Start the example as `scripts/example` does, and end it after the block."""
    words = [sys.executable, str(EXAMPLE / "start.py"), "--no-browser", "--port", "0", *choices]
    with subprocess.Popen(
        words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield _told(process)
        finally:
            process.send_signal(signal.SIGTERM)
            rest = process.communicate(timeout=60)[0]
    assert process.returncode == 0, rest


def _told(process: subprocess.Popen[str]) -> Running:
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if "Ctrl-C" in line:
            break
    address = re.search(r"http://127\.0\.0\.1:\d+/", said)
    password = re.search(r"staff / (\S+)", said)
    folder = re.search(r"Logs: (\S+)", said)
    assert address and password and folder, said
    return Running(address[0], password[1], Path(folder[1]))
