"""Runs the programs of this folder against one server through one driver.

What an integration does has nothing to do with the flavour of the server or the driver, so one
of each will do.
"""

from __future__ import annotations

import importlib.util
import random
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from tests.fixtures.drivers import eventually
from tests.fixtures.programs import Runner
from tests.fixtures.servers import DRIVERS, missing

from lifeline_lab.servers import Server

PROGRAMS = Path(__file__).parent / "programs"

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, shared_server: Callable[[str], Server]
) -> Iterator[Run]:
    """``run("celery_worker", POOL="prefork")``: what that program says; words are environment.

    ``database`` changes the engine or settings: see `Runner`.
    """
    driver = next(name for name, module in DRIVERS.items() if importlib.util.find_spec(module))
    with ExitStack() as cleanup:
        runner = Runner(tmp_path_factory.mktemp("programs"), cleanup)

        def call(
            name: str,
            *,
            driver: str = driver,
            gevent: bool = False,
            timeout: float = 60,
            database: Mapping[str, Any] = MappingProxyType({}),
            **env: object,
        ) -> Any:
            words = {key: str(value) for key, value in env.items()}
            program, server = PROGRAMS / f"{name}.py", shared_server("mariadb")
            how = {"env": words, "gevent": gevent, "timeout": timeout, **database}
            return runner(program, server, driver, **how).json

        yield call


def needs(module: str, package: str) -> None:
    """Skip, or fail in CI, where a package is not installed."""
    if importlib.util.find_spec(module) is None:
        missing(f"{package} is not installed: pip install {package}")


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Redis server of this test run's own."""
    if shutil.which("redis-server") is None:
        missing("redis-server is not installed: apt-get install redis-server")
    # Below the ports that the kernel lends to clients, so that nobody gets it meanwhile.
    port = next(port for port in random.sample(range(20000, 30000), 50) if not _listens(port))
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    folder = tmp_path_factory.mktemp("redis")
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: _listens(port))
            yield port
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def redis_url(redis_port: int) -> str:
    """The address of an empty database on that server."""
    subprocess.run(
        ["redis-cli", "-p", str(redis_port), "flushall"], check=True, capture_output=True
    )
    return f"redis://127.0.0.1:{redis_port}/0"
