"""A short run of ``example/chaos.py``; the long one is in ``docs/results/example-mail.md``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from tests.example.conftest import EXAMPLE, environment
from tests.fixtures.servers import missing

pytestmark = [pytest.mark.fault, pytest.mark.server, pytest.mark.slow]


def test_mails_under_fire_arrive_once_or_are_told_as_unknown() -> None:
    if shutil.which("redis-server") is None:
        missing("redis-server is not installed: apt-get install redis-server")
    words = [sys.executable, str(EXAMPLE / "chaos.py"), "--mails", "60", "--schedules", "3"]
    words += ["--recipients", "5", "--first", "4", "--pause", "0.5", "--seed", "12"]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
    result = json.loads(done.stdout)
    assert result["held"] and result["mails"] >= 60
    assert result["sent"] > 0
    assert len(result["faults"]) >= 3
