"""How the long-running programs of the example end."""

import signal
import time
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Told(SystemExit):
    """Raised in the main thread when the program is told to end."""


def listen() -> None:
    """From now on SIGTERM and Ctrl-C raise `Told`, the first time; further ones do nothing.

    An exception and not an ``Event``: to set one in a handler can wait for ever for a lock that
    the very thread it interrupted holds.
    """
    for number in SIGNALS:
        signal.signal(number, _tell)


def wait_until_told() -> None:
    """Return when told to end."""
    try:
        while True:
            # A signal that comes right before a long sleep would be noticed only after it.
            time.sleep(0.2)
    except Told:
        return


def _tell(number: int, frame: FrameType | None) -> NoReturn:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Told(0)
