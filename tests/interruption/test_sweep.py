"""A share of the interruptions; LIFELINE_SEED repeats it, ``scripts/interruptions`` runs all."""

from __future__ import annotations

import os
import random

import pytest

from lifeline_lab.servers import Server
from tests.fixtures.programs import Runner
from tests.interruption.sweep import ARMS, Sweep, summary

SEED = int(os.environ.get("LIFELINE_SEED") or 1)
WORKLOADS, STRIKES = 4, 40
"""In each of eight cells; starting its program takes about as long."""


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("gevent", [False, True], ids=["threads", "gevent"])
def test_interruption_at_any_step_leaves_pool_and_data_right(
    server: Server, driver: str, gevent: bool, run_program: Runner
) -> None:
    chance = random.Random(f"{SEED} {server.flavour} {driver} {gevent}")
    arm = chance.choice([arm for arm in ARMS if arm.gevent == gevent])
    seed = chance.randrange(10**9)
    found = Sweep(run_program, server, driver, arm).share(seed, WORKLOADS, STRIKES)
    print(f"LIFELINE_SEED={SEED} {arm}: {found.struck} interruptions")
    assert found.struck > 0
    assert found.violations == [], f"LIFELINE_SEED={SEED}, {arm}\n{summary(found.violations)}"
