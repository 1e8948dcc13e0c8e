"""``manage.py lifeline doctor|explain|status``: the commands with the project's settings."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_lifeline.commands import COMMANDS, WRONG_USAGE, load, stop_writing
from django_lifeline.diagnosis.usage import UsageError

_DJANGOS_OPTIONS = ("--settings", "--pythonpath")
_DJANGOS_SWITCHES = ("--traceback", "--no-color", "--force-color")


class Command(BaseCommand):
    """Dispatches to the modules that `COMMANDS` lists."""

    help = "Looks for what makes MySQL connections go away, before and after they do."
    # A configuration that is wrong is what it is there to look at.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add a sub-command for each command."""
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        for name in COMMANDS:
            command = load(name)
            one = commands.add_parser(
                name,
                help=command.HELP,
                description=command.HELP,
                parents=[_djangos_options()],
                conflict_handler="resolve",
            )
            command.add_arguments(one)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command; its exit status becomes the process's."""
        # The wrapper would end every piece of a line with a newline of its own.
        self.stdout.ending = ""
        try:
            status = load(options["command"]).run(argparse.Namespace(**options), self.stdout)
            self.stdout.flush()
        except UsageError as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from None
        except BrokenPipeError:
            stop_writing()
            return
        if status:
            sys.exit(status)


def _djangos_options() -> argparse.ArgumentParser:
    """Django's own options, which are else only taken before the sub-command's name."""
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    parser.add_argument("-v", "--verbosity", type=int, choices=range(4), help=argparse.SUPPRESS)
    for option in _DJANGOS_OPTIONS:
        parser.add_argument(option, help=argparse.SUPPRESS)
    for switch in _DJANGOS_SWITCHES:
        parser.add_argument(switch, action="store_true", help=argparse.SUPPRESS)
    return parser
