"""``python -m lifeline_lab.suites``: other packages' tests, stock beside ours."""

from __future__ import annotations

import argparse
import datetime
import platform
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import django

from lifeline_lab.arms import DRIVERS, LIFELINE_ENGINE, STOCK_ENGINE
from lifeline_lab.servers import FLAVOURS, Server, ServerMissing, start
from lifeline_lab.suite.source import SourceMissing, requirements_folder
from lifeline_lab.suite.terminal import some_of, teller
from lifeline_lab.suite.timezones import load_time_zones
from lifeline_lab.suites.arm import Arm, database_name, run_arm
from lifeline_lab.suites.package import Package
from lifeline_lab.suites.packages import PACKAGES
from lifeline_lab.suites.results import Result, write
from lifeline_lab.suites.source import installed, interpreter, source_folder

ENGINES = {"stock": STOCK_ENGINE, "lifeline": LIFELINE_ENGINE}
DRIVER_DISTRIBUTIONS = {"mysqlclient": "mysqlclient", "pymysql": "PyMySQL"}
BY_NAME = {package.name: package for package in PACKAGES}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 1 where a test is lost.

    2 where a server is missing, 3 where a package cannot be fetched.
    """
    options = _parser().parse_args(arguments)
    if options.list:
        for package in PACKAGES:
            print(f"{package.name} {package.version}: {package.why}")
        return 0
    well = True
    try:
        for result in _results(options):
            result.show()
            well &= result.as_wanted
            if options.results:
                # After each, so that what was measured outlives an interruption.
                write([result], options.results)
    except ServerMissing as error:
        print(error, file=sys.stderr)
        return 2
    except SourceMissing as error:
        print(error, file=sys.stderr)
        return 3
    return 0 if well else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/suites", description=__doc__, allow_abbrev=False)
    parser.add_argument("--list", action="store_true", help="only tell which packages there are")
    parser.add_argument("--package", type=some_of(BY_NAME), default=tuple(BY_NAME))
    parser.add_argument("--engine", type=some_of(ENGINES), default=tuple(ENGINES))
    parser.add_argument("--server", type=some_of(FLAVOURS), default=FLAVOURS)
    parser.add_argument("--driver", type=some_of(DRIVERS), default=DRIVERS[:1])
    parser.add_argument("--labels", nargs="+", help="a part of the tests of one --package")
    parser.add_argument(
        "--results", type=Path, metavar="FOLDER", help="where suites.json and suites.md are kept"
    )
    return parser


def _results(options: argparse.Namespace) -> Iterator[Result]:
    packages = [BY_NAME[name] for name in options.package]
    if options.labels:
        packages = [replace(package, labels=tuple(options.labels)) for package in packages]
    for flavour in options.server:
        for package in packages:
            if package.django_below and django.VERSION[:2] >= package.django_below:
                print(f"{package.name} {package.version} wants an older Django: left out.")
                continue
            for driver in options.driver:
                yield _run(package, flavour, driver, options.engine)


def _run(package: Package, flavour: str, driver: str, engines: Sequence[str]) -> Result:
    title = f"{package.name} {flavour} {driver}"
    print(f"{title}: fetching its source and, once, an environment of its own …", flush=True)
    source, python = source_folder(package), interpreter(package, driver)
    runs = {}
    for name in engines:
        # Each arm on a server of its own: neither finds what the other left behind.
        with start(flavour) as server:
            _prepare(server, package)
            arm = Arm(package, ENGINES[name], driver, python, source)
            runs[name] = run_arm(arm, server, teller(f"{title} {name}"))
    versions = installed(python, "Django", DRIVER_DISTRIBUTIONS[driver])
    used = {
        "date": datetime.date.today().isoformat(),
        "Python": platform.python_version(),
        **versions,
    }
    server_version = f"{flavour} {server.version}"
    return Result(package.name, package.version, server_version, driver, used, runs)


def _prepare(server: Server, package: Package) -> None:
    server.provide_md5()
    load_time_zones(server, requirements_folder() / "tzdata")
    for alias in package.databases:
        server.create_database(database_name(alias))


if __name__ == "__main__":
    # So that a run that is ended from outside ends its processes too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
