"""Whether a process is ready for work, by what its pools have met: pure, for probes."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

LONG_WAIT = 1.0
"""Seconds in the queue from which on a pool counts as exhausted, not as busy."""


class State(enum.StrEnum):
    """What a probe is told of one database."""

    UNUSED = "unused"
    """Nothing is known: no connection was opened yet, or not for long."""
    OK = "ok"
    """Connections are open, and none had to be waited for for long."""
    AWAY = "away"
    """The latest attempt to connect failed, a moment ago, and no connection has answered since."""
    EXHAUSTED = "exhausted"
    """Borrowers wait for long: all connections are in use, or the server answers none of them."""

    @property
    def ready(self) -> bool:
        """Whether work may be sent here.

        What is not known counts as ready: without work nothing would ever be known.
        """
        return self in (State.UNUSED, State.OK)


def state_of(pool: Mapping[str, Any]) -> State:
    """Return the state of a pool, by its stats as plain values."""
    if pool["away"]:
        return State.AWAY
    if pool["longest_wait"] >= LONG_WAIT:
        return State.EXHAUSTED
    return State.OK if pool["size"] else State.UNUSED
