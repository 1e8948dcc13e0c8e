"""``status``: a server's sessions and limits, or whether this project's processes are ready."""

from __future__ import annotations

import argparse
from typing import TextIO

from django_lifeline.diagnosis import status
from django_lifeline.diagnosis.readiness import state_of
from django_lifeline.diagnosis.usage import UsageError

HELP = status.HELP
NOT_READY = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what it takes."""
    status.add_arguments(parser)
    parser.add_argument(
        "--exit-code",
        action="store_true",
        help="ask no server: 1 where a process of this project and host is not ready for work",
    )


def run(options: argparse.Namespace, out: TextIO) -> int:
    """Ask the servers; with ``--exit-code`` only read what the processes wrote down."""
    return _ready(options, out) if options.exit_code else status.run(options, out)


def _ready(options: argparse.Namespace, out: TextIO) -> int:
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    from django_lifeline.panel.processes import other_processes

    if options.settings:
        import os

        os.environ["DJANGO_SETTINGS_MODULE"] = options.settings
    try:
        settings.SECRET_KEY  # noqa: B018 - whose folder it is
    except ImproperlyConfigured as error:
        raise UsageError(f"--exit-code needs the project's settings: {error}") from None
    ready = True
    for process in other_processes():
        for pool in process.get("pools", ()):
            state = state_of(pool)
            ready = ready and state.ready
            out.write(f"{process['program']} (pid {process['pid']}): {pool['name']} {state}\n")
    return 0 if ready else NOT_READY
