"""``status``: a server's sessions and limits, or whether this project's processes are ready."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TextIO

from django_lifeline.core.clock import now
from django_lifeline.diagnosis import status
from django_lifeline.diagnosis.readiness import state_of
from django_lifeline.diagnosis.usage import UsageError
from django_lifeline.panel import asking

HELP = status.HELP
READY = 0
NOT_READY = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what it takes."""
    status.add_arguments(parser)
    ready = parser.add_argument_group("whether processes are ready; no server is asked")
    ready.add_argument(
        "--exit-code",
        action="store_true",
        help="read what this project's other processes on this host wrote down; 1 where one is "
        "not ready for work",
    )
    ready.add_argument(
        "--at-least",
        type=int,
        default=0,
        metavar="N",
        help="with --exit-code: 1 as well where fewer than N processes have written",
    )
    ready.add_argument(
        "--url",
        metavar="URL",
        help="ask the process that serves this page of django_lifeline.health instead; 1 where it "
        "does not answer in time, or is not ready",
    )


def run(options: argparse.Namespace, out: TextIO) -> int:
    """Ask the servers, or the process that serves a page, or read what processes wrote down."""
    if options.url:
        return READY if asking.ask(options.url, out) else NOT_READY
    return _ready(options, out) if options.exit_code else status.run(options, out)


def _ready(options: argparse.Namespace, out: TextIO) -> int:
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    if options.settings:
        import os

        os.environ["DJANGO_SETTINGS_MODULE"] = options.settings
    try:
        settings.SECRET_KEY  # noqa: B018 - whose folder it is
    except ImproperlyConfigured as error:
        raise UsageError(f"--exit-code needs the project's settings: {error}") from None
    return READY if all(list(_each_is_ready(options.at_least, out))) else NOT_READY


def _each_is_ready(wanted: int, out: TextIO) -> Iterator[bool]:
    """Tell of each pool of each process, and of those that are missing."""
    from django_lifeline.panel.processes import STALE, other_processes

    found = other_processes()
    for process in found:
        age = max(0.0, now() - process["at"])
        for pool in process.get("pools", ()):
            state = state_of(pool)
            out.write(
                f"{process['program']} (pid {process['pid']}, {age:.0f} s ago): "
                f"{pool['name']} {state}\n"
            )
            yield state.ready
    if not found:
        out.write(f"No other process has written within {STALE:.0f} s: nothing is known.\n")
    if len(found) < wanted:
        out.write(f"Processes that have written: {len(found)}; --at-least asks for {wanted}.\n")
        yield False
