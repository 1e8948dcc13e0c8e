"""``python -m lifeline_lab.suite``: Django's own tests, stock beside ours."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import django

from lifeline_lab.arms import DRIVERS, LIFELINE_ENGINE, STOCK_ENGINE
from lifeline_lab.servers import FLAVOURS, Server, ServerMissing, start
from lifeline_lab.suite.arm import Arm, run_arm
from lifeline_lab.suite.labels import present
from lifeline_lab.suite.report import Comparison, table
from lifeline_lab.suite.source import SourceMissing, requirements_folder, tests_folder
from lifeline_lab.suite.terminal import some_of, teller
from lifeline_lab.suite.timezones import load_time_zones

ENGINES = {"stock": STOCK_ENGINE, "lifeline": LIFELINE_ENGINE}
GIS_ENGINES = {
    "stock": "django.contrib.gis.db.backends.mysql",
    "lifeline": "django_lifeline.backends.mysql_gis",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 1 where a test is lost, 2 where nothing could run."""
    options = _parser().parse_args(arguments)
    if options.table:
        results = [found for file in options.table for found in json.loads(file.read_text())]
        print(table(results))
        return 0
    if options.django_version not in ("installed", django.get_version()):
        print(f"Django {django.get_version()} is installed, not {options.django_version}.")
        return 2
    comparisons: list[Comparison] = []
    try:
        for comparison in _compare(options):
            comparison.show()
            comparisons.append(comparison)
            if options.json:
                # After each, so that what was measured outlives an interruption.
                found = [comparison.as_json() for comparison in comparisons]
                options.json.write_text(json.dumps(found, indent=1) + "\n")
    except (ServerMissing, SourceMissing) as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if all(comparison.as_wanted for comparison in comparisons) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/django-suite", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--django-version", default="installed", help="refuse any other")
    parser.add_argument("--engine", type=some_of(ENGINES), default=tuple(ENGINES))
    parser.add_argument("--server", type=some_of(FLAVOURS), default=FLAVOURS)
    parser.add_argument("--driver", type=some_of(DRIVERS), default=DRIVERS[:1])
    parser.add_argument(
        "--labels", nargs="+", help="Django's own; or full (the default), short, all"
    )
    parser.add_argument("--short", action="store_true", help="the labels for CI: minutes")
    parser.add_argument(
        "--gis", action="store_true", help="the engines for maps, and gis_tests; needs GDAL"
    )
    parser.add_argument("--parallel", type=int, default=1, help="processes of each run")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument(
        "--table", type=Path, nargs="+", help="only print results of --json as Markdown"
    )
    return parser


def _labels(options: argparse.Namespace) -> list[str]:
    if options.labels:
        return list(options.labels)
    return ["short"] if options.short else ["gis_tests"] if options.gis else ["full"]


def _compare(options: argparse.Namespace) -> Iterator[Comparison]:
    print(f"Fetching the tests of Django {django.get_version()} …", flush=True)
    tests, packages = tests_folder(), requirements_folder()
    labels = tuple(present(_labels(options), tests))
    engines = GIS_ENGINES if options.gis else ENGINES
    if not labels:
        raise SourceMissing(f"Django {django.get_version()} has none of these labels.")
    for flavour in options.server:
        with start(flavour) as server:
            _prepare(server, packages)
            for driver in options.driver:
                runs = {
                    name: run_arm(
                        Arm(engines[name], driver, labels, tests, packages, options.parallel),
                        server,
                        teller(f"{server.flavour} {driver} {name}"),
                    )
                    for name in options.engine
                }
                yield Comparison(f"{flavour} {server.version}", driver, labels, runs)


def _prepare(server: Server, packages: Path) -> None:
    server.provide_md5()
    load_time_zones(server, packages / "tzdata")
    for name in ("suite", "suite_other"):
        server.create_database(name)


if __name__ == "__main__":
    # So that a run that is ended from outside ends its processes too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
