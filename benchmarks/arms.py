"""What is compared, and the worker processes that do it in turns."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.worker import WARM_UP
from lifeline_lab.arms import (
    DRIVER_MODULES,
    HEALTH,
    LIFELINE,
    PERSISTENT,
    STOCK,
    STOCK_ENGINE,
    Arm,
)
from lifeline_lab.servers import Server, start

ROOT = Path(__file__).parents[1]
_PEER = "django-db-connection-pool"
PEER = Arm(_PEER, _PEER, "dj_db_conn_pool.backends.mysql")
FLOOR = Arm("driver", "the driver alone", STOCK_ENGINE)
DATABASE = "benchmark"


@dataclass(frozen=True, slots=True)
class Transport:
    """A driver and how it reaches the server."""

    name: str
    driver: str
    options: tuple[tuple[str, Any], ...] = ()
    slow_to_connect: bool = False

    def batch(self, count: int) -> int:
        """Return the size of a batch that connects in each unit."""
        return max(1, count // 10) if self.slow_to_connect else count


MYSQLCLIENT = Transport("mysqlclient", "mysqlclient")
MYSQLCLIENT_TLS = Transport(
    "mysqlclient, TLS", "mysqlclient", (("ssl_mode", "REQUIRED"),), slow_to_connect=True
)
PYMYSQL = Transport("PyMySQL, plaintext", "pymysql", (("ssl_disabled", True),))
PYMYSQL_TLS = Transport("PyMySQL, TLS (its default)", "pymysql", slow_to_connect=True)


def installed(arm: Arm, transport: Transport) -> bool:
    """Whether what this arm and this transport need is installed here."""
    needed = (arm.engine.split(".")[0], DRIVER_MODULES[transport.driver])
    return all(importlib.util.find_spec(name) is not None for name in needed)


class Worker:
    """One arm's process. Ask it for batches, in turns with the others."""

    def __init__(
        self,
        arm: Arm,
        transport: Transport,
        server: Server,
        *,
        gevent: bool = False,
        units: str = "benchmarks.units",
        **options: Any,
    ) -> None:
        self.arm = arm
        self._spec = {
            "driver": transport.driver,
            "database": database(arm, transport, server, **options),
            "gevent": gevent,
            "units": units,
        }
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._tell(**self._spec)
        self._hear()

    def start_again(self) -> None:
        """Go on in a new process."""
        self.close()
        self._start()

    def batch(self, unit: str, count: int) -> dict[str, float]:
        """Do ``count`` units; microseconds of ``wall`` and ``cpu`` time for each."""
        return self._ask(do="batch", unit=unit, count=count)

    def calls(self, unit: str) -> dict[str, Any]:
        """Count the calls that one unit makes."""
        return self._ask(do="calls", unit=unit)

    def run(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Call one function and return what it returns."""
        return self._ask(do="run", unit=action, arguments=arguments)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, **command: Any) -> dict[str, Any]:
        self._tell(**command)
        return self._hear()

    def _tell(self, **message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The worker of {self.arm.name} ended; its error is above.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def database(arm: Arm, transport: Transport, server: Server, **options: Any) -> dict[str, Any]:
    """Return the ``DATABASES`` entry of an arm; ``options`` are added to its ``OPTIONS``."""
    return {
        **arm.database({}),
        "NAME": DATABASE,
        "HOST": server.host,
        "PORT": server.port,
        "USER": server.user,
        "PASSWORD": server.password,
        "OPTIONS": {**dict(transport.options), **options},
    }


@contextlib.contextmanager
def running(flavour: str, **variables: Any) -> Iterator[Server]:
    """``with running("mysql") as server``: a private one, with TLS and an empty database."""
    with TemporaryDirectory(prefix="lifeline-bench-") as folder:
        if flavour == "mariadb":  # MySQL makes a certificate by itself
            variables = {**make_certificate(Path(folder)), **variables}
        with start(flavour, variables) as server:
            server.create_database(DATABASE)
            yield server


def make_certificate(folder: Path) -> dict[str, str]:
    """Write a self-signed certificate; the variables by which a server takes it."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
    files = ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    subprocess.run([*words, *files], check=True, capture_output=True)
    return {"ssl_key": str(key), "ssl_cert": str(certificate)}


@dataclass(frozen=True, slots=True)
class Turn:
    """What one worker does in each round, under the name its figures get."""

    label: str
    worker: Worker
    unit: str
    count: int


def take_turns(
    turns: list[Turn], rounds: int, seed: int, processes: int = 1
) -> dict[str, dict[str, list[float]]]:
    """Let all do a batch in each round, every round in another order.

    ``processes`` is how many each worker is, one after the other. Where a process happens to have
    its memory decides over more than what is compared here: two of the same arm differ by 15 %.

    Returns ``wall`` and ``cpu`` per label: one figure a round, in microseconds for each unit.
    """
    share = math.ceil(rounds / processes)
    order, shuffled = random.Random(seed), list(turns)
    figures: dict[str, dict[str, list[float]]] = {
        turn.label: {"wall": [], "cpu": []} for turn in turns
    }
    for number in range(rounds):
        if number and number % share == 0:
            for worker in {id(turn.worker): turn.worker for turn in turns}.values():
                worker.start_again()
        order.shuffle(shuffled)
        for turn in shuffled:
            took = turn.worker.batch(turn.unit, turn.count)
            for kind, value in took.items():
                figures[turn.label][kind].append(round(value, 2))
    return figures


def calls(turns: list[Turn]) -> dict[str, dict[str, float]]:
    """Count the Python and native functions that each turn's unit calls."""
    counted = {turn.label: turn.worker.calls(turn.unit) for turn in turns}
    return {
        label: {kind: found[kind] for kind in ("python", "native")}
        for label, found in counted.items()
    }


def statements(server: Server, turns: list[Turn], times: int = 10) -> dict[str, float]:
    """Count the statements that the server runs for one unit of each turn, pings included."""
    counted = {}
    for turn in turns:
        turn.worker.batch(turn.unit, 1)
        begin = _statements_so_far(server)
        own = _statements_so_far(server) - begin
        begin += own
        units = times + min(times, WARM_UP)
        turn.worker.batch(turn.unit, times)
        counted[turn.label] = round((_statements_so_far(server) - begin - own) / units, 2)
    return counted


def _statements_so_far(server: Server) -> int:
    rows = server.query("SHOW GLOBAL STATUS LIKE 'Com\\_%'")
    return sum(int(count) for _, count in rows)


ALL = (FLOOR, STOCK, PERSISTENT, HEALTH, LIFELINE, PEER)
