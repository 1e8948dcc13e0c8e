"""The driver's cursor while an answer is still arriving, so that its loss has a name as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django_lifeline.core.clock import Clock

Lost = Callable[[BaseException, float], BaseException | None]
"""Called with an error and the longest pause between two reads, in seconds; returns what to raise
instead, None for the error itself."""


class Reading:
    """In front of a driver's cursor; everything but reading is the cursor's own."""

    def __init__(self, cursor: Any, clock: Clock) -> None:
        self._cursor = cursor
        self._clock = clock

    def watch(self, lost: Lost) -> None:
        """Begin with a new answer; *lost* is called when reading it fails."""
        self._lost = lost
        self._read_at = self._clock.monotonic()
        self._pause = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    @property
    def connection(self) -> Any:
        """The driver's connection, None once the cursor is cut from it."""
        return self._cursor.connection

    @connection.setter
    def connection(self, value: Any) -> None:
        self._cursor.connection = value

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        return self._read(self._cursor.fetchone)

    def fetchmany(self, *args: Any, **kwargs: Any) -> Any:
        """Return the next rows."""
        return self._read(self._cursor.fetchmany, *args, **kwargs)

    def fetchall(self) -> Any:
        """Return the remaining rows."""
        return self._read(self._cursor.fetchall)

    def nextset(self) -> Any:
        """Go on to the next result; None when there is none."""
        return self._read(self._cursor.nextset)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchone, None)

    def _read(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._pause = max(self._pause, self._clock.monotonic() - self._read_at)
        try:
            return call(*args, **kwargs)
        except BaseException as error:
            instead = self._lost(error, self._pause)
            if instead is None:
                raise
            raise instead from error
        finally:
            self._read_at = self._clock.monotonic()
