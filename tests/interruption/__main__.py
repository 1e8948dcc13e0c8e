"""``scripts/interruptions``: every interruption on both servers, and the page of the findings."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from lifeline_lab.last_run import DRIVERS as PACKAGES
from lifeline_lab.last_run import installed
from lifeline_lab.servers import FLAVOURS, start
from tests.fixtures.programs import Runner
from tests.fixtures.servers import DRIVERS
from tests.interruption.report import PAGE, Cell, write_page
from tests.interruption.sweep import ARMS, Arm, Strikes, Sweep, summary

RARE = 10
"""Raised at every instruction, kinds of exceptions differ in nothing but their class: the first
kind comes at each of them, the others at one of so many."""


def main() -> int:
    """Run what was asked for; return 1 where something was violated."""
    parser = argparse.ArgumentParser(prog="scripts/interruptions", description=__doc__)
    parser.add_argument("--server", choices=FLAVOURS, action="append")
    parser.add_argument("--driver", choices=tuple(DRIVERS), action="append")
    parser.add_argument("--kind", choices=[arm.kind for arm in ARMS][:4], action="append")
    parser.add_argument("--how", choices=("next", "here"), action="append")
    parser.add_argument("--share", type=int, default=1, help="one in so many interruptions")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    chosen = parser.parse_args()
    arms = [
        arm
        for arm in ARMS
        if arm.kind in (chosen.kind or [arm.kind]) and arm.how in (chosen.how or [arm.how])
    ]
    cells: list[Cell] = []
    for flavour in chosen.server or FLAVOURS:
        with start(flavour) as server, ExitStack() as stack:
            for driver in chosen.driver or DRIVERS:
                for arm in arms:
                    run = Runner(Path(stack.enter_context(tempfile.TemporaryDirectory())), stack)
                    sweep = Sweep(run, server, driver, arm)
                    cells.append(swept(sweep, rarity(arm, chosen.share), chosen.seed))
    whole = (chosen.server, chosen.driver, chosen.kind, chosen.how) == (None,) * 4
    if whole:
        write_page(cells, installed((*PACKAGES, "gevent")), chosen.seed)
        print(f"Written: {PAGE}")
    return 1 if any(cell.found.violations for cell in cells) else 0


def rarity(arm: Arm, share: int) -> int:
    """Which part of its interruptions an arm carries out: one in so many.

    What Python itself can do to a program comes more often than what only a trace function can.
    """
    if arm.how == "next":
        return 1 if arm.gevent else max(1, share // 4)
    return share * (1 if arm.kind in ("async", "kill") else RARE)


def swept(sweep: Sweep, one_in: int, seed: int) -> Cell:
    """Carry out an arm's interruptions, or one in so many, and say what came of them."""
    began = time.monotonic()
    found = sweep.count()
    strikes = part(sweep.strikes(found), one_in, seed)
    sweep.strike(strikes, found)
    server = sweep.server
    cell = Cell(server.flavour, server.version, sweep.driver, sweep.arm, one_in, found)
    seconds = time.monotonic() - began
    print(f"{cell}: {found.struck} interruptions in {seconds:.0f} s, ", end="")
    print(f"{len(found.violations)} violations", flush=True)
    if found.violations:
        print(summary(found.violations), flush=True)
    return cell


def part(strikes: Strikes, one_in: int, seed: int) -> Strikes:
    """One in so many, by chance, in their order."""
    chance = random.Random(seed)
    return [strike for strike in strikes if one_in == 1 or chance.randrange(one_in) == 0]


if __name__ == "__main__":
    sys.exit(main())
