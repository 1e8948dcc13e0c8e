"""Some random programs in every run of the tests, and all that once showed a fault.

`LIFELINE_SEED` draws others; without it the same are drawn each time.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.differential.__main__ import MISSING
from tests.fixtures.programs import ROOT
from tests.fixtures.servers import missing

pytestmark = [pytest.mark.drawn, pytest.mark.server, pytest.mark.fault]

SEED = os.environ.get("LIFELINE_SEED", "1")
PROGRAMS = os.environ.get("LIFELINE_PROGRAMS", "5")


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Any]:
    """``ran(driver, flavour)``: what a campaign said, which runs once for all its tests."""

    @functools.cache
    def run(driver: str, flavour: str) -> Any:
        said = tmp_path_factory.mktemp("differential") / "said.json"
        words = [sys.executable, "-m", "tests.differential", "--driver", driver]
        words += ["--server", flavour, "--seed", SEED, "--known", "--drawn", PROGRAMS]
        words += ["--programs", "0", "--as-drawn", "--json", str(said)]
        done = subprocess.run(words, cwd=ROOT, env=_environment(), capture_output=True, text=True)
        if done.returncode == MISSING:
            missing(done.stderr)
        assert said.exists(), done.stdout + done.stderr
        return json.loads(Path(said).read_text())

    return run


def _environment() -> dict[str, str]:
    paths = (ROOT, ROOT / "src", ROOT / "lab")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}


def steady(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that showed twice: on a busy machine a wait for a lock may end too soon once."""
    return [each for each in found if each["steady"]]


def told(found: list[dict[str, Any]]) -> str:
    return "\n".join([f"LIFELINE_SEED={SEED}", *(each["text"] for each in found)])


def test_programs_that_once_showed_a_fault_do_as_stock(
    ran: Callable[[str, str], Any], driver: str, flavour: str
) -> None:
    found = [each for each in steady(ran(driver, flavour)["found"]) if each["name"]]
    assert not found, told(found)


def test_random_programs_do_as_stock_or_keep_the_laws(
    ran: Callable[[str, str], Any], driver: str, flavour: str
) -> None:
    found = [each for each in steady(ran(driver, flavour)["found"]) if not each["name"]]
    assert not found, told(found)
