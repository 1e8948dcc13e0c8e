"""A thread of a program: it does one step after the other, as it is told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

PATIENCE = 30.0


class Stuck(Exception):
    """A step did not end."""


class Actor:
    """One thread, and what it keeps between steps."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.blocks: list[Any] = []
        """The ``atomic`` blocks that it is in, the innermost last."""
        self.skipping = 0
        """How many blocks an error has left whose end in the program is still to come."""
        self.kept: dict[str, Any] = {}
        """Cursors, iterators and savepoints, by the name that steps give them."""
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"actor-{name}", daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], Any]) -> Any:
        """Run *function* in the thread; return or raise what it does."""
        self._jobs.put(function)
        try:
            value, error = self._results.get(timeout=PATIENCE)
        except queue.Empty:
            raise Stuck(f"{self.name} did not answer within {PATIENCE:.0f} s") from None
        if error is not None:
            raise error
        return value

    def end(self) -> None:
        """Let the thread end, with whatever it holds."""
        self._jobs.put(None)
        self._thread.join(PATIENCE)
        self.blocks.clear()
        self.kept.clear()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                result = (job(), None)
            except BaseException as error:
                result = (None, error)
            del job
            self._results.put(result)
            del result
