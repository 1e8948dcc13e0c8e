"""One start of the whole example: what it consists of, and its end."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from launch import brokers, database, processes
from launch.control import Control
from launch.processes import EXAMPLE, HOST, Started
from lifeline_lab.servers import Server

STAFF = "staff"
SOURCES = [str(EXAMPLE.parent / part) for part in ("src", "lab")]


def set_environment(arm: str, driver: str, runner: str, folder: Path) -> None:
    """What every process of one start finds in its environment."""
    paths = [str(EXAMPLE), *SOURCES, os.environ.get("PYTHONPATH", "")]
    os.environ.update(
        LIFELINE_ARM=arm,
        MYSQL_DRIVER=driver,
        SCHEDULE_RUNNER=runner,
        EXAMPLE_FOLDER=str(folder),
        SECRET_KEY=secrets.token_urlsafe(40),
        SMTP_PORT=str(processes.free_port()),
        RPC_PORT=str(processes.free_port()),
        DJANGO_SETTINGS_MODULE="autoemail.settings",
        PYTHONPATH=os.pathsep.join(filter(None, paths)),
    )


@dataclass(frozen=True)
class Choices:
    """What a visitor chooses at the start."""

    arm: str = "lifeline"
    web: str = "gthread"
    driver: str = "mysqlclient"
    runner: str = "thread"
    broker: str = "redis"
    port: int = 8000


class Site:
    """Starts everything in order; `close` ends it and leaves nothing behind."""

    def __init__(self, choices: Choices, tell: Callable[[str], None]) -> None:
        self.choices, self.tell = choices, tell
        self.folder = Path(tempfile.mkdtemp(prefix="autoemail-"))
        self.password = secrets.token_urlsafe(9)
        self.server: Server | None = None
        self.control: Control | None = None
        self.started: list[Started] = []
        self._stop = threading.Event()
        self._sampler: threading.Thread | None = None

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.choices.port}/"

    def open(self) -> None:
        chosen = self.choices
        set_environment(chosen.arm, chosen.driver, chosen.runner, self.folder)
        if "DATABASE_URL" not in os.environ:
            self.tell("MariaDB")
            self._start_database()
        self.tell("tables and something to look at")
        processes.run("migrate", "--verbosity", "0")
        processes.run("seed")
        self._make_staff()
        if self.choices.runner == "celery" and "CELERY_BROKER_URL" not in os.environ:
            self.tell(self.choices.broker)
            self._start_broker()
        self.tell("SMTP, the web site, the schedule, the RPC service")
        self._start_processes()

    def _start_database(self) -> None:
        self.server = server = database.start_server()
        os.environ["DATABASE_URL"] = database.url(server)
        self.control = Control(self.folder, database.deeds(server))
        arguments = (server, self.folder / "pulse.jsonl", self._stop)
        self._sampler = threading.Thread(target=database.sample, args=arguments)
        self._sampler.start()

    def _make_staff(self) -> None:
        os.environ["DJANGO_SUPERUSER_PASSWORD"] = self.password
        try:
            processes.run("make_staff", STAFF)
        finally:
            del os.environ["DJANGO_SUPERUSER_PASSWORD"]

    def _start_broker(self) -> None:
        broker = brokers.BROKERS[self.choices.broker](self.folder)
        os.environ["CELERY_BROKER_URL"] = broker.url
        for make in broker.makers.values():
            self.started.append(make())
            self.started[-1].wait_until_up()

    def _start_processes(self) -> None:
        self.started += [
            processes.sink(int(os.environ["SMTP_PORT"]), self.folder),
            processes.rpc(int(os.environ["RPC_PORT"]), self.folder),
            processes.web(self.choices.web, self.choices.port, self.folder),
            *processes.schedule(self.choices.runner, self.folder),
        ]
        for one in self.started:
            one.wait_until_up()

    def close(self) -> None:
        self._stop.set()
        if self._sampler is not None:
            self._sampler.join()
        for one in self.started:
            one.process.signal(signal.SIGTERM)
        for one in reversed(self.started):
            one.end()
        if self.control is not None:
            self.control.close()
        if self.server is not None:
            self.server.close()
        shutil.rmtree(self.folder, ignore_errors=True)
