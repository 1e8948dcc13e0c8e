"""Counts the connections of which a program's log tells."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from lifeline_lab.servers.process import GuardedProcess

READY_WITHIN = 20.0
_SECOND = len("2026-11-29 10:30:00")


def busiest_second(lines: Iterable[str], words: str) -> int:
    """How many lines with these words begin with the same second, at most."""
    return max(Counter(line[:_SECOND] for line in lines if words in line).values(), default=0)


class Accepted:
    """The connections that a program has accepted, since it was told to count anew."""

    def __init__(self, log: Path, words: str) -> None:
        self._log = log
        self._words = words
        self._from = 0

    def clear(self) -> None:
        """Begin to count anew."""
        self._from = self._log.stat().st_size

    def most(self) -> int:
        """The most that it accepted within one second."""
        with self._log.open(errors="replace") as log:
            log.seek(self._from)
            return busiest_second(log, self._words)


def await_words(process: GuardedProcess, log: Path, words: str, times: int) -> None:
    """Wait until a program has written these words so many times; its log, where it ends first."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.running():
        if log.exists() and log.read_text(errors="replace").count(words) >= times:
            return
        time.sleep(0.01)
    told = log.read_text(errors="replace")[-2000:] if log.exists() else "no log"
    raise RuntimeError(f"No {words!r} within {READY_WITHIN:g} s: {told}")
