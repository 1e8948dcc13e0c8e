"""When connecting fails since the server is away: how often to try, and whom to tell.

Plain values, changed under the pool's lock.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

GROWERS = 4
"""How many borrowers of one pool connect at the same time.

With one, the last of ten borrowers of a cold pool waits for ten connects in a row, which is
200 ms over TLS and more from afar. Without a limit a burst opens ``max_size`` connections that
the first two returned ones would have served, and storms a server that has just restarted. After
a second without another attempt one more may begin all the same.
"""

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.02
"""Seconds between the beginnings of two attempts. Short, since stock's caller would not wait at
all: who does without the database while it is away is not held up, and a process makes no more than
a hundred attempts a second, one after the other."""

SLOW = 1.0
"""Seconds after which an attempt is slow: where it fails it speaks for all who waited for it, and
while it lasts the next one may begin beside it."""

LIFE = 1.0
"""Seconds for which an answer on another connection proves that the server is not away."""


@dataclass(frozen=True, slots=True)
class NoRoom:
    """A server that takes no more connections."""

    error: Exception
    """How it said so."""
    patience: float
    """Seconds for which others' connections are waited for, unless some come free meanwhile."""


@dataclass(slots=True)
class Outage:
    """What is known of a server that cannot be reached, if it cannot."""

    chance: Callable[[], float] = random.random
    failures: int = 0
    """Attempts in a row that failed."""
    opens_from: float = float("-inf")
    """When the next attempt may begin."""
    growers: int = GROWERS
    """How many may connect at the same time: one while it fails, and then twice as many each."""

    def failed(self, started: float, now: float) -> bool:
        """Take in a failed attempt; return whether those who wait shall have its error.

        One refusal alone may be a chance: the next in the queue tries it too. Where an attempt took
        long, as in a black hole, they have waited as long as stock's caller would have.
        """
        self.failures += 1
        self.growers = 1
        pause = min(FIRST_PAUSE * 2 ** min(self.failures - 1, 16), LONGEST_PAUSE)
        self.opens_from = max(self.opens_from, started + pause * (1 - 0.5 * self.chance()))
        return self.failures > 1 or now - started >= SLOW

    def succeeded(self) -> None:
        """Take in that a connection was opened."""
        self.failures = 0
        self.opens_from = float("-inf")
        self.growers = min(2 * self.growers, GROWERS)
