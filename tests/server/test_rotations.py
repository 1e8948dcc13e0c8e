"""Passwords that end while threads connect: the lab's rotations, in short."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from tests.fixtures.programs import ROOT
from tests.fixtures.servers import missing

from lifeline_lab.rotations import COLUMNS, row
from lifeline_lab.servers import ServerMissing
from lifeline_lab.servers.finding import find

pytestmark = pytest.mark.drawn

ROTATIONS = 25


@pytest.fixture
def told(flavour: str, driver: str) -> Any:
    """What became of the work under so many rotations."""
    try:
        find(flavour)
    except ServerMissing as error:
        missing(str(error))
    words = ["--server", flavour, "--driver", driver, "--one"]
    done = subprocess.run(
        [sys.executable, "-m", "lifeline_lab.rotations", *words]
        + ["--rotations", str(ROTATIONS), "--pause", "0.05"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "src", ROOT / "lab"))),
        },
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.server
def test_no_login_is_refused_while_passwords_end(told: Any) -> None:
    assert set(told["counted"]) == {"ok"}, told["counted"]
    assert told["stored"] == told["counted"]["ok"] > 0
    assert told["rotations"] == ROTATIONS
    assert (told["failed_connects"], told["pools"]) == (0, 1)
    assert 0 < told["open"] <= 4 < told["opened"] <= told["asked"]
    assert row(told).count("|") == len(COLUMNS) + 1
