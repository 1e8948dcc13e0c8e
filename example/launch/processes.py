"""The processes of one start: each on this machine's own address, none outlives the starter."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from lifeline_lab.servers.process import GuardedProcess

HOST = "127.0.0.1"
EXAMPLE = Path(__file__).resolve().parent.parent
PORTS = range(20000, 30000)
"""Below those that the kernel lends to clients."""
UP_TIMEOUT = 40.0
WEB = ("gthread", "sync", "gevent", "asgi")
RUNNERS = ("thread", "apscheduler", "celery")


class DidNotStart(RuntimeError):
    """A process ended or did not answer; the message ends with its log."""


def free_port() -> int:
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)):
                return port
    raise DidNotStart("There is no free port.")


class Started:
    """A running process with a log of its own in the folder."""

    def __init__(self, name: str, words: list[str], folder: Path, port: int | None = None) -> None:
        self.name, self.port = name, port
        self.log = folder / f"{name}.log"
        self.process = GuardedProcess(words, self.log, folder)

    def wait_until_up(self) -> None:
        """Return when it listens; a process without a port counts as up at once."""
        give_up = time.monotonic() + UP_TIMEOUT
        while self.port is not None and not self._listens():
            if time.monotonic() > give_up or not self.process.running():
                raise DidNotStart(f"{self.name} did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0

    def end(self) -> None:
        self.process.end(timeout=5)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to it and to the children it forked: they are one process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """SIGKILL for it and its children."""
        self.signal_all(signal.SIGKILL)
        self.process.end()

    def children(self) -> list[int]:
        """The process ids of its children."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        try:
            return [int(word) for word in found.read_text().split()]
        except OSError:
            return []


def manage(*words: str) -> list[str]:
    return [sys.executable, str(EXAMPLE / "manage.py"), *words]


def run(*words: str) -> None:
    """Run a management command to its end; its output is shown only when it fails."""
    done = subprocess.run(manage(*words), capture_output=True, text=True)
    if done.returncode:
        raise DidNotStart(f"manage.py {' '.join(words)}:\n{done.stdout}{done.stderr}")


def module(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]


def sink(port: int, folder: Path, answer_after: float = 0) -> Started:
    words = [sys.executable, str(EXAMPLE / "sink.py"), "--port", str(port)]
    words += ["--file", str(folder / "mails.jsonl"), "--answer-after", str(answer_after)]
    return Started("smtp", words, folder, port)


def web(kind: str, port: int, folder: Path) -> Started:
    if kind == "asgi":
        words = module("uvicorn", "autoemail.asgi:application", "--port", str(port))
        words += ["--workers", "2", "--log-level", "warning"]
    else:
        words = module("gunicorn", "autoemail.wsgi:application", "--bind", f"{HOST}:{port}")
        words += ["--config", str(EXAMPLE / "web" / f"{kind}.py"), "--log-level", "warning"]
    return Started("web", words, folder, port)


def rpc(port: int, folder: Path) -> Started:
    return Started("rpc", manage("serve_rpc"), folder, port)


def beat(folder: Path, number: int = 1) -> Started:
    words = module("celery", "-A", "autoemail", "beat", "--loglevel", "WARNING", "--pidfile=")
    return Started(f"beat-{number}", words, folder)


def worker(folder: Path, number: int = 1) -> Started:
    words = module("celery", "-A", "autoemail", "worker", "--loglevel", "WARNING")
    words += ["--concurrency", "2", "--hostname", f"worker{number}@localhost"]
    words += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return Started(f"worker-{number}", words, folder)


def schedule(runner: str, folder: Path) -> list[Started]:
    """What runs the schedule; for Celery a beat and two workers."""
    if runner == "celery":
        return [beat(folder), worker(folder, 1), worker(folder, 2)]
    return [Started("schedule", manage("run_schedule"), folder)]
