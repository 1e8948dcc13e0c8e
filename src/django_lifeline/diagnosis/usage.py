"""How a command says that it was called wrongly."""

from __future__ import annotations


class UsageError(Exception):
    """What the user gave is wrong. The message names it and what to give instead.

    The command ends with exit status 2 and shows the message, no traceback.
    """
