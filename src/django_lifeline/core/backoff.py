"""How long to pause between attempts: longer each time, never past a deadline."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5


@dataclass(slots=True)
class Backoff:
    """The pauses between attempts that began at ``started``. Times are in seconds.

    Each pause is twice the one before, less up to half by chance: clients that were refused at
    the same moment do not come back at the same moment.
    """

    started: float
    patience: float
    """How long after ``started`` attempts may still begin."""
    chance: Callable[[], float] = random.random
    _pause: float = FIRST_PAUSE

    def next_pause(self, now: float) -> float | None:
        """Return how long to pause before the next attempt, None when the patience is over."""
        pause = self._pause * (1 - 0.5 * self.chance())
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return pause if now + pause <= self.started + self.patience else None
