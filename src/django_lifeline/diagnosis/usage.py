"""What commands have in common: the option for the language, and how to say a wrong usage."""

from __future__ import annotations

import argparse

from django_lifeline.diagnosis import saying


class UsageError(Exception):
    """What the user gave is wrong. The message names it and what to give instead.

    The command ends with exit status 2 and shows the message, no traceback.
    """


def add_language_argument(parser: argparse._ActionsContainer) -> None:
    """Add ``--lang``; the language of the environment is the default."""
    parser.add_argument(
        "--lang",
        type=_language,
        metavar="LANG",
        help="the output's language, en or zh (by default as LANGUAGE, LC_ALL and LANG say)",
    )


def _language(name: str) -> str:
    try:
        return saying.language(name)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{name!r} is neither en nor zh") from None
