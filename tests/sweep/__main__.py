"""Runs the sweep on every server with every driver, and writes what it found.

Whole, it takes an hour on two cores; with ``--seconds`` a part of it, chosen by the seed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from lifeline_lab.servers import FLAVOURS, start
from tests.fixtures.drivers import make_certificate
from tests.sweep.outcome import ROOT, VARIABLES, Outcome, page, summary, sweep

DRIVERS = ("mysqlclient", "pymysql")
RESULTS = ROOT / "docs" / "results"


def arguments() -> argparse.Namespace:
    """What to run."""
    parser = argparse.ArgumentParser(prog="scripts/sweep", description=__doc__)
    parser.add_argument("--server", choices=FLAVOURS, action="append")
    parser.add_argument("--driver", choices=DRIVERS, action="append")
    parser.add_argument("--engine", choices=("lifeline", "stock"), default="lifeline")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="a part of each, as much as takes so long")
    parser.add_argument("--workload", action="append", default=[], help="only this one")
    parser.add_argument("--cell", action="append", default=[], help="only this one")
    parser.add_argument("--no-tls", action="store_true")
    return parser.parse_args()


def passed_on(chosen: argparse.Namespace) -> list[str]:
    """Return the arguments for each run."""
    passed = ["--seed", str(chosen.seed), "--engine", chosen.engine]
    for name in ("cell", "workload"):
        passed += [part for value in getattr(chosen, name) for part in (f"--{name}", value)]
    return passed + (["--seconds", str(chosen.seconds)] if chosen.seconds else [])


def runs(chosen: argparse.Namespace) -> Iterator[Outcome]:
    """Run it on each server with each driver."""
    passed = passed_on(chosen)
    for flavour in chosen.server or FLAVOURS:
        with (
            TemporaryDirectory() as folder,
            start(flavour, {**VARIABLES, **make_certificate(Path(folder))}) as server,
        ):
            server.provide_md5()
            for driver in chosen.driver or DRIVERS:
                yield sweep(server, driver, *passed)
                if not chosen.no_tls:
                    yield sweep(server, driver, *passed, "--tls")


def is_whole(chosen: argparse.Namespace) -> bool:
    """Whether all of it runs, so that its results may stand in the docs."""
    part = chosen.seconds or chosen.cell or chosen.workload or chosen.server or chosen.driver
    return not part and not chosen.no_tls and chosen.engine == "lifeline"


def main() -> int:
    """Run it; return 1 where a law was broken."""
    chosen = arguments()
    outcomes = []
    for outcome in runs(chosen):
        outcomes.append(outcome)
        print(summary(outcome), flush=True)
        for failure in outcome["failures"]:
            print("  {law}: {cell}: {said}".format(**failure))
        for seen in outcome["once"]:
            print("  seen once, {law}: {cell}: {said}".format(**seen))
        if is_whole(chosen):
            # After each: it takes long.
            (RESULTS / "sweep.json").write_text(json.dumps(outcomes, indent=1) + "\n")
            (RESULTS / "sweep.md").write_text(page(outcomes))
    return 1 if any(outcome["failures"] for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
