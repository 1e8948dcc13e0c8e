"""The losses of this process: how many of each cause, and the latest with their diagnosis.

Filled by the engine, read by pages and exporters. Bounded; a forked child begins with none.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from django_lifeline.core import clock
from django_lifeline.diagnosis.model import Diagnosis

KEPT = 100
"""How many of the latest losses are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One loss, healed or not."""

    at: float
    """Seconds since 1970."""
    alias: str
    """The database's alias in settings; of several with equal settings, one."""
    pool: str
    """The pool's name: user, host, port and database."""
    healed: bool
    """Whether nobody had to notice."""
    diagnosis: Diagnosis

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "at": self.at,
            "alias": self.alias,
            "pool": self.pool,
            "healed": self.healed,
            **self.diagnosis.as_dict(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How often one cause was met with one outcome."""

    alias: str
    cause: str
    healed: bool
    times: int


class Losses:
    """What this process lost. Any thread may ask and tell; ``_lock`` guards all of it."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._latest: deque[Incident] = deque(maxlen=self._kept)
        self._counts: Counter[tuple[str, str, bool]] = Counter()

    def _own(self) -> None:
        if os.getpid() != self._pid:
            self._begin()

    def note(self, *, alias: str, pool: str, healed: bool, diagnosis: Diagnosis) -> None:
        """Count one loss and keep it for a while."""
        self._own()
        incident = Incident(
            at=clock.now(), alias=alias, pool=pool, healed=healed, diagnosis=diagnosis
        )
        with self._lock:
            self._latest.append(incident)
            self._counts[alias, diagnosis.cause, healed] += 1

    def latest(self) -> list[Incident]:
        """Return the latest losses, the newest first."""
        self._own()
        with self._lock:
            return list(reversed(self._latest))

    def counts(self) -> list[Count]:
        """Return how many of each there have been since the process began."""
        self._own()
        with self._lock:
            counted = sorted(self._counts.items())
        return [
            Count(alias=alias, cause=cause, healed=healed, times=times)
            for (alias, cause, healed), times in counted
        ]


recent = Losses()
"""Those of this process."""
