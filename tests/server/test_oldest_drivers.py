"""The oldest drivers that are supported do what the newest do.

The short form of tox's ``oldest``: programs that run anyway, with the drivers in a folder that
comes first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fixtures.programs import ROOT, Runner
from tests.fixtures.servers import missing
from tests.server.conftest import PROGRAMS, Report

from django_lifeline.diagnosis.doctor.rules.engine import OLDEST_MYSQLCLIENT, OLDEST_PYMYSQL
from lifeline_lab.servers import Server

pytestmark = [pytest.mark.drawn, pytest.mark.slow]

OLDEST = {
    "mysqlclient": ".".join(map(str, OLDEST_MYSQLCLIENT)),
    "PyMySQL": ".".join(map(str, OLDEST_PYMYSQL)),
}
PROGRAMS_ASKED = ("round_trips", "semantics", "transactions")
"""What passes over the wire, and what becomes of transactions."""


@pytest.fixture(scope="session")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the oldest drivers."""
    folder = tmp_path_factory.mktemp("oldest")
    words = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder)]
    wanted = [f"{name}=={version}" for name, version in OLDEST.items()]
    done = subprocess.run([*words, *wanted], capture_output=True, text=True, timeout=100)
    if done.returncode:
        missing(f"{' and '.join(wanted)} cannot be installed here: {done.stderr.strip()}")
    return folder


@pytest.mark.parametrize(("flavour", "driver"), [("mariadb", "mysqlclient"), ("mysql", "pymysql")])
@pytest.mark.parametrize("name", PROGRAMS_ASKED)
def test_program_says_the_same_with_the_oldest_driver(
    oldest: Path, report: Report, run_program: Runner, server: Server, driver: str, name: str
) -> None:
    folders = (oldest, ROOT, ROOT / "src", ROOT / "lab")
    ours = run_program(
        PROGRAMS / f"{name}.py",
        server,
        driver,
        env={"PYTHONPATH": os.pathsep.join(map(str, folders))},
        timeout=100,
    )
    assert ours.json == report(name, timeout=100)


def test_the_oldest_drivers_are_the_ones_that_programs_get(oldest: Path) -> None:
    program = "import MySQLdb.release, pymysql; print(MySQLdb.release.__version__, pymysql.VERSION)"
    said = subprocess.check_output(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(oldest)},
        text=True,
    )
    version, _, numbers = said.partition(" ")
    assert version == OLDEST["mysqlclient"]
    assert numbers.startswith(str(OLDEST_PYMYSQL)[:-1])
