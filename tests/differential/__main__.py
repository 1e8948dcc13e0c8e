"""Runs random programs with stock Django and with this engine: ``scripts/differential``."""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lifeline_lab.servers import FLAVOURS, ServerMissing
from tests.differential.campaign import Campaign, Found
from tests.differential.machine import Machine, engine_tried, machine
from tests.differential.report import write_report
from tests.differential.steps import load

DRIVERS = ("mysqlclient", "pymysql")
MISSING = 77
"""Exit status: a server or a driver is not installed."""


def main() -> int:
    """Run what the command line asks for; 1 if anything was found."""
    chosen = _parser().parse_args()
    if chosen.driver == "all" or chosen.server == "all":
        return _each_in_a_process(chosen)
    try:
        with machine(chosen.server, chosen.driver) as tried:
            print(f"engine {engine_tried()}, {chosen.driver}, {chosen.server}", flush=True)
            return _show(tried, chosen.program) if chosen.program else _run(tried, chosen)
    except (ServerMissing, ModuleNotFoundError) as error:
        print(error, file=sys.stderr)
        return MISSING


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/differential", description=__doc__)
    parser.add_argument("--seed", default="1", help="the same seed draws the same programs")
    parser.add_argument("--programs", type=int, default=100, help="how many, for each combination")
    parser.add_argument("--minutes", type=float, default=60, help="begin none after so many")
    parser.add_argument("--driver", default="all", choices=["all", *DRIVERS])
    parser.add_argument("--server", default="all", choices=["all", *FLAVOURS])
    parser.add_argument("--program", type=Path, help="run the one in this file, and show all of it")
    parser.add_argument("--known", action="store_true", help="first those that once showed a fault")
    parser.add_argument("--drawn", type=int, default=0, help="also so many drawn by Hypothesis")
    parser.add_argument("--restarts", action="store_true", help="restart the server now and then")
    parser.add_argument("--as-drawn", action="store_true", help="do not make small what fails")
    parser.add_argument("--first", action="store_true", help="end with the first that is found")
    parser.add_argument("--json", type=Path, help="write what was found to this file")
    parser.add_argument("--report", type=Path, help="write a page about it")
    return parser


def _run(tried: Machine, chosen: argparse.Namespace) -> int:
    campaign = Campaign(
        tried, chosen.minutes * 60, not chosen.as_drawn, chosen.first, on_found=_tell
    )
    if chosen.known:
        campaign.run_known()
    if chosen.drawn:
        campaign.run_drawn(int(chosen.seed), chosen.drawn)
    campaign.run_seeds(chosen.seed, chosen.programs, restarts=chosen.restarts)
    print(f"{campaign.programs} programs, {campaign.steps} steps, {len(campaign.found)} found")
    if chosen.json:
        said = {**_versions(tried, chosen), **campaign.summary()}
        chosen.json.write_text(json.dumps(said, indent=1) + "\n")
    return int(bool(campaign.found))


def _tell(found: Found) -> None:
    print(found, flush=True)


def _versions(tried: Machine, chosen: argparse.Namespace) -> dict[str, Any]:
    import django

    return {
        "engine": engine_tried(),
        "driver": chosen.driver,
        "driver_version": version(chosen.driver),
        "server": chosen.server,
        "server_version": tried.server.version,
        "django": django.get_version(),
        "python": platform.python_version(),
        "seed": chosen.seed,
    }


def _show(tried: Machine, path: Path) -> int:
    program = load(path.read_text())
    print(program)
    for pair in zip(*tried.records(program), strict=True):
        print(*pair, sep="\n", end="\n\n")
    found = Campaign(tried).try_out(program)
    print("\nMade small:", found, sep="\n") if found else print("lawful")
    return int(found is not None)


def _each_in_a_process(chosen: argparse.Namespace) -> int:
    """PyMySQL takes mysqlclient's place for a whole process, so each combination has its own."""
    drivers = DRIVERS if chosen.driver == "all" else [chosen.driver]
    servers = FLAVOURS if chosen.server == "all" else [chosen.server]
    folder = chosen.json or Path("lab-report")
    folder.mkdir(exist_ok=True)
    status, files = 0, []
    for driver, server in itertools.product(drivers, servers):
        files.append(folder / f"differential-{driver}-{server}.json")
        words = ["--driver", driver, "--server", server, "--json", str(files[-1])]
        done = subprocess.run([sys.executable, "-m", "tests.differential", *sys.argv[1:], *words])
        status = max(status, done.returncode)
    if chosen.report and status != MISSING:
        write_report(chosen.report, [json.loads(file.read_text()) for file in files])
    return status


if __name__ == "__main__":
    sys.exit(main())
