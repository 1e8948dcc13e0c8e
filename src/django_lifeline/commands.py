"""The commands, once, for ``python -m django_lifeline`` and for ``manage.py lifeline``.

A command is a module with what `Command` lists. It is imported when it is needed, and imports
what is heavy (Django's settings, a driver) when it runs: ``explain`` works without either.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Protocol, TextIO, cast

from django_lifeline.diagnosis.usage import UsageError

COMMANDS = {
    "doctor": "django_lifeline.diagnosis.doctor.command",
    "explain": "django_lifeline.diagnosis.explain.command",
    "status": "django_lifeline.panel.status",
}
"""Each command's name and its module."""

WRONG_USAGE = 2
INTERRUPTED = 130
PROGRAM = "python -m django_lifeline"


class Command(Protocol):
    """What a command's module offers."""

    HELP: str
    """What it does, in a line."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add what it takes to *parser*."""

    def run(self, options: argparse.Namespace, out: TextIO) -> int:
        """Do it, print to *out*, return the exit status; `UsageError` for wrong input."""


def load(name: str) -> Command:
    """Return the command of that name, importing its module."""
    return cast(Command, importlib.import_module(COMMANDS[name]))


def main(words: Sequence[str], out: TextIO | None = None) -> int:
    """Run ``python -m django_lifeline`` with *words*; return the exit status."""
    out = out or sys.stdout
    try:
        status = _dispatch(words, out)
        out.flush()
        return status
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        stop_writing()
        return 0


def stop_writing() -> None:
    """After a `BrokenPipeError`: whoever read along, such as head, has seen enough.

    What is still buffered must not be written to the closed pipe when the interpreter ends.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(words: Sequence[str], out: TextIO) -> int:
    name, *rest = words or ["help"]
    if name in ("help", "-h", "--help"):
        if not rest:
            _show_commands(out)
            return 0
        name, rest = rest[0], ["--help"]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0)[0]
        raise UsageError(f"there is no command {name!r}. Did you mean {near!r}?")
    command = load(name)
    parser = argparse.ArgumentParser(prog=f"{PROGRAM} {name}", description=command.HELP)
    command.add_arguments(parser)
    return command.run(parser.parse_args(rest), out)


def _show_commands(out: TextIO) -> None:
    print(f"usage: {PROGRAM} COMMAND ...\n\ncommands:", file=out)
    for name in COMMANDS:
        print(f"  {name:<10}{load(name).HELP}", file=out)
    print(f"\n{PROGRAM} help COMMAND shows what it takes.", file=out)
