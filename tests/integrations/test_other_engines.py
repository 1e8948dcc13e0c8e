"""The integrations where no database has the engine; needs no server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integrations.conftest import PROGRAMS, needs

SRC = Path(__file__).parents[2] / "src"


def python(*words: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", *words],
        env={"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def test_on_sqlite_without_a_driver_they_do_nothing_and_the_job_store_says_what_it_needs() -> None:
    needs("apscheduler", "APScheduler")
    answer, refusal = python(str(PROGRAMS / "other_engine.py")).splitlines()
    assert answer == "fine"
    assert refusal == (
        "DjangoJobStore keeps its jobs in MySQL or MariaDB, but DATABASES['default'] is of "
        "'sqlite'. Name another one with using=, or take a MemoryJobStore there."
    )


def test_another_version_of_apscheduler_is_told_which_one_is_needed() -> None:
    # Version 4 has the package, but not this module.
    program = """
import sys
sys.modules["apscheduler.executors"] = None
try:
    import django_lifeline.integrations.apscheduler
except ImportError as error:
    print(error)
"""
    assert python("-c", program).strip() == (
        "django_lifeline.integrations.apscheduler needs APScheduler 3, which is not installed: "
        "pip install 'django-lifeline[apscheduler]'"
    )
