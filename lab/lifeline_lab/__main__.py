"""``python -m lifeline_lab``: break stock Django on real servers, and this engine not."""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from django_lifeline.commands import stop_writing
from lifeline_lab.arms import ARMS, DRIVER_MODULES, DRIVERS
from lifeline_lab.cell import Result
from lifeline_lab.markdown import as_markdown
from lifeline_lab.report import as_json, versions, write_html
from lifeline_lab.runner import Selection, Servers, any_ran, lab_server, run, succeeded
from lifeline_lab.scenario import Scenario
from lifeline_lab.scenarios import all_scenarios
from lifeline_lab.terminal import Terminal
from lifeline_lab.yours import YourServer, from_dsn, from_settings

SERVERS = ("mariadb", "mysql")
YOURS = "yours"
JOBS = 8
USAGE_ERROR = 2
INTERRUPTED = 130


class UsageError(Exception):
    """The command line asks for what there is not; the message names what there is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the lab; 0 when ours survived everything and each arm that should break did."""
    try:
        chosen = parser().parse_args(arguments)
        return list_scenarios() if chosen.list else perform(chosen)
    except BrokenPipeError:
        stop_writing()
        return 0
    except UsageError as error:
        print(f"lab: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("lab: interrupted; servers and programs are ended", file=sys.stderr)
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    words = argparse.ArgumentParser(
        prog="python -m lifeline_lab",
        description="Run small real programs on real servers, break their connections in every "
        "known way, and compare stock Django with this engine.",
    )
    for name, what in (
        ("server", "mariadb, mysql (default: both)"),
        ("driver", "mysqlclient, pymysql (default: both)"),
        ("arm", f"{', '.join(ARMS)} (default: all)"),
        ("scenario", "a name from --list (default: all)"),
    ):
        words.add_argument(f"--{name}", action="append", default=[], metavar="NAME", help=what)
    words.add_argument("--quick", action="store_true", help="a short set of scenarios")
    words.add_argument("--list", action="store_true", help="list the scenarios and stop")
    words.add_argument(
        "--jobs", type=int, default=JOBS, help="cells at a time; they mostly wait (default: 8)"
    )
    words.add_argument("--json", type=Path, metavar="FILE", help="write results and histories")
    words.add_argument(
        "--html",
        type=Path,
        default=Path("lab-report/index.html"),
        metavar="FILE",
        help="where the report goes (default: lab-report/index.html)",
    )
    words.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the matrix as a Markdown table"
    )
    yours = words.add_mutually_exclusive_group()
    yours.add_argument(
        "--dsn",
        metavar="mysql://USER:PASSWORD@HOST:PORT/DATABASE",
        help="your own server: only our sessions are killed, only our tables are made",
    )
    yours.add_argument(
        "--settings",
        metavar="MODULE[:ALIAS]",
        help="the same, with a DATABASES entry of your Django settings",
    )
    return words


def list_scenarios() -> int:
    """Print every scenario."""
    for scenario in all_scenarios().values():
        print(f"{scenario.name:<24}{scenario.place:<24}{scenario.title}")
    sys.stdout.flush()
    return 0


def perform(chosen: argparse.Namespace) -> int:
    """Run what was chosen, and write the reports."""
    yours = _your_server(chosen)
    if yours is not None:
        _see_that_it_is_there(yours)
    selection = select(chosen, yours)
    servers = Servers(lab_server if yours is None else yours.place)
    cells = selection.cells()
    terminal = Terminal(cells, selection.arms)
    terminal.heading()
    with terminal.running():
        results = run(
            selection, servers, jobs=chosen.jobs, tell=terminal.heard, begins=terminal.begins
        )
    terminal.summary(results)
    _write(chosen, results, terminal.say)
    return 0 if succeeded(results) else 1


def _write(chosen: argparse.Namespace, results: list[Result], say: Callable[[str], None]) -> None:
    used = versions(results)
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(as_json(results, used), indent=1))
        say(f"JSON: {chosen.json}")
    if chosen.markdown:
        chosen.markdown.parent.mkdir(parents=True, exist_ok=True)
        chosen.markdown.write_text(as_markdown(results, used), encoding="utf-8")
        say(f"Markdown: {chosen.markdown}")
    if chosen.html.exists() and not any_ran(results):
        say(f"Nothing could be run: the report of the last run is kept, {chosen.html}")
        return
    write_html(chosen.html, results, used)
    say(f"Report: {chosen.html}")


def select(chosen: argparse.Namespace, yours: YourServer | None) -> Selection:
    """Return what the command line asks for; `UsageError` for what does not exist."""
    known = all_scenarios()
    names = _named(chosen.scenario, known, "scenario")
    scenarios = [known[name] for name in names] if names else list(known.values())
    if chosen.quick and not names:
        scenarios = [scenario for scenario in scenarios if scenario.quick]
    if yours is not None:
        scenarios = _gentle(scenarios, asked_for=bool(names))
    servers = (YOURS,) if yours else _present(chosen.server, SERVERS, "server", _why_no_server)
    drivers = _present(chosen.driver, DRIVERS, "driver", _why_no_driver)
    arms = tuple(_named(chosen.arm, ARMS, "arm")) or tuple(ARMS)
    return Selection(tuple(scenarios), servers, drivers, arms)


def _gentle(scenarios: list[Scenario], *, asked_for: bool) -> list[Scenario]:
    harmful = [scenario.name for scenario in scenarios if not scenario.gentle]
    if harmful and asked_for:
        raise UsageError(
            f"{', '.join(harmful)}: needs more than KILL of its own sessions, so it does not run "
            "on a server that is not the lab's."
        )
    return [scenario for scenario in scenarios if scenario.gentle]


def _named(given: Iterable[str], known: Iterable[str], what: str) -> list[str]:
    names = [name for words in given for name in words.split(",") if name]
    every = list(known)
    for name in names:
        if name not in every:
            near = difflib.get_close_matches(name, every, n=1, cutoff=0)[0]
            raise UsageError(f"there is no {what} {name!r}. Did you mean {near!r}?")
    return list(dict.fromkeys(names))


def _present(
    given: Iterable[str], known: tuple[str, ...], what: str, why_not: Callable[[str], str]
) -> tuple[str, ...]:
    """Return those that are here; one asked for by name, or any in CI, must be."""
    names = _named(given, known, what)
    found = []
    for name in names or known:
        problem = why_not(name)
        if not problem:
            found.append(name)
        elif names or os.environ.get("CI"):
            raise UsageError(problem)
        else:
            print(f"skipped: {problem}", file=sys.stderr)
    if not found:
        raise UsageError(f"no {what} to run with")
    return tuple(found)


def _why_no_server(flavour: str) -> str:
    from lifeline_lab.servers import ServerMissing, find

    try:
        find(flavour)
    except ServerMissing as error:
        return str(error)
    return ""


def _why_no_driver(driver: str) -> str:
    if importlib.util.find_spec(DRIVER_MODULES[driver]) is None:
        return f"the driver {driver} is not installed"
    return ""


def _see_that_it_is_there(yours: YourServer) -> None:
    """Connect once, so that a wrong password is told once and not by each cell."""
    try:
        with yours.place(YOURS, {}):
            pass
    except Exception as error:
        raise UsageError(f"{yours.login!r}, database {yours.database}: {error}") from None


def _your_server(chosen: argparse.Namespace) -> YourServer | None:
    try:
        if chosen.dsn:
            return from_dsn(chosen.dsn)
        if chosen.settings:
            return from_settings(chosen.settings)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return None


if __name__ == "__main__":
    sys.exit(main())
