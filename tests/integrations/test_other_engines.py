"""The integrations where no database has the engine; needs no server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.integrations.conftest import PROGRAMS, needs

SRC = Path(__file__).parents[2] / "src"


def test_on_sqlite_without_a_driver_they_do_nothing_and_the_job_store_says_what_it_needs() -> None:
    needs("apscheduler", "APScheduler")
    said = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAMS / "other_engine.py")],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    answer, refusal = said.splitlines()
    assert answer == "fine"
    assert refusal == (
        "DjangoJobStore keeps its jobs in MySQL or MariaDB, but DATABASES['default'] is of "
        "'sqlite'. Name another one with using=, or take a MemoryJobStore there."
    )
