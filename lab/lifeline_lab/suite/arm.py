"""Runs Django's tests with one engine, in a fresh process."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from lifeline_lab.servers import Server
from lifeline_lab.suite.comparison import Run
from lifeline_lab.suite.process import OURS, Command, Tell, run_to_the_end


@dataclass(frozen=True, slots=True)
class Arm:
    """What is run, and with which engine."""

    engine: str
    driver: str
    labels: tuple[str, ...]
    tests: Path
    packages: Path
    parallel: int = 1


def run_arm(arm: Arm, server: Server, tell: Tell) -> Run:
    """Run the labels; ``tell(done, planned, test)`` hears of the progress."""
    return run_to_the_end(lambda folder: _command(arm, server, folder), tell)


def _command(arm: Arm, server: Server, folder: Path) -> Command:
    given = {
        "driver": arm.driver,
        "runtests": str(arm.tests / "runtests.py"),
        "record": str(folder / "record"),
        "done": str(folder / "done"),
        "database": {
            "ENGINE": arm.engine,
            "HOST": server.host,
            "PORT": server.port,
            "USER": server.user,
            "PASSWORD": server.password,
        },
    }
    module = "lifeline_lab.suite"
    words = [
        *(sys.executable, "-X", "faulthandler", "-m", f"{module}.program"),
        *(f"--settings={module}.settings", f"--parallel={arm.parallel}"),
        *("--noinput", "--verbosity=1", *arm.labels),
    ]
    paths = [*OURS, str(arm.packages), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "DJANGO_SUITE": json.dumps(given),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
    return Command(words, environment, arm.tests)
