"""``doctor``: examines settings, server and processes before connections go away."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from django_lifeline.diagnosis import dsn, saying
from django_lifeline.diagnosis.doctor.facts import Layout
from django_lifeline.diagnosis.doctor.finding import Level
from django_lifeline.diagnosis.usage import UsageError, add_language_argument

if TYPE_CHECKING:
    from django_lifeline.diagnosis.doctor.gather import Patient
    from django_lifeline.diagnosis.doctor.report import Report

HELP = "examine settings, server and processes before connections go away"
NEVER = "never"
LEVELS = (*(level.name.lower() for level in Level), NEVER)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what it takes."""
    add_database_arguments(parser)
    processes = parser.add_argument_group("what uses the database")
    processes.add_argument("--processes", type=_count, metavar="N", help="processes of one kind")
    processes.add_argument("--threads", type=_count, metavar="N", help="threads in each of them")
    processes.add_argument("--greenlets", type=_count, metavar="N", help="or greenlets (gevent)")
    processes.add_argument(
        "--config",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a gunicorn or Celery file (.py) or a uWSGI file (.ini) instead; may be repeated",
    )
    processes.add_argument(
        "--instances", type=_count, default=1, metavar="N", help="machines that run all of that"
    )
    output = parser.add_argument_group("what comes out")
    output.add_argument("--json", action="store_true", help="print JSON")
    output.add_argument("--html", type=Path, metavar="FILE", help="write a page as well")
    add_language_argument(output)
    output.add_argument("--no-color", action="store_true", help="print no colours")
    output.add_argument(
        "--fail-level",
        choices=LEVELS,
        default="error",
        help="end with exit status 1 from this level on (default: error)",
    )


def add_database_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how a command is told which databases."""
    which = parser.add_argument_group("which database")
    which.add_argument("--dsn", help=f"{dsn.EXAMPLE}; no settings are needed")
    which.add_argument(
        "--database",
        action="append",
        default=[],
        metavar="ALIAS",
        help="an alias of DATABASES; may be repeated (default: all that are MySQL or MariaDB)",
    )
    which.add_argument("--settings", metavar="MODULE", help="the Django settings")


def run(options: argparse.Namespace, out: TextIO) -> int:
    """Examine, print, and return 1 where something reaches ``--fail-level``."""
    from django_lifeline.diagnosis.doctor.gather import facts_about
    from django_lifeline.diagnosis.doctor.report import as_json, make_report
    from django_lifeline.diagnosis.doctor.text import as_text

    layout = _layout(options)
    patients = chosen(options)
    lang = options.lang or saying.preferred_language()
    report = make_report([facts_about(one, patients, layout) for one in patients], layout, lang)
    if options.html:
        _write_page(options.html, report)
    if options.json:
        out.write(json.dumps(as_json(report), ensure_ascii=False, indent=1) + "\n")
    else:
        out.write(as_text(report, coloured=_coloured(options, out)))
    level = None if options.fail_level == NEVER else Level[options.fail_level.upper()]
    return 1 if report.reaches(level) else 0


def chosen(options: argparse.Namespace) -> list[Patient]:
    """Return the databases that the arguments name; `UsageError` for what is not there."""
    from django_lifeline.diagnosis.doctor.gather import from_aliases, from_dsn

    if options.dsn:
        if options.database:
            raise UsageError("--dsn and --database exclude each other.")
        return [from_dsn(options.dsn)]
    if options.settings:
        os.environ["DJANGO_SETTINGS_MODULE"] = options.settings
    if os.getcwd() not in sys.path:
        # As manage.py does: the project is where one stands.
        sys.path.insert(0, os.getcwd())
    return from_aliases(options.database)


def _layout(options: argparse.Namespace) -> Layout | None:
    from django_lifeline.diagnosis.doctor.layout import layout, make_layout, read_config

    services = layout(
        [read_config(path) for path in options.config],
        options.processes,
        options.threads,
        options.greenlets,
    )
    return make_layout(services, options.instances)


def _write_page(path: Path, report: Report) -> None:
    from django_lifeline.diagnosis.doctor.page import write_html

    try:
        write_html(path, report, datetime.now())
    except OSError as error:
        raise UsageError(f"--html {path}: it cannot be written ({error.strerror}).") from None


def _coloured(options: argparse.Namespace, out: TextIO) -> bool:
    if getattr(options, "force_color", False):
        return True
    refused = options.no_color or "NO_COLOR" in os.environ
    return not refused and out.isatty()


def _count(text: str) -> int:
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number
