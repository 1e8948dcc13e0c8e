"""The driver's cursor while an answer is still arriving, so that its loss has a name as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from django_lifeline.core.clock import Clock


class Reader(Protocol):
    """Whoever is told how the reading ends."""

    def lost(self, error: BaseException, pause: float) -> BaseException | None:
        """Return what to raise instead of *error*, None for the error itself.

        ``pause`` is the longest time, in seconds, between two reads.
        """

    def read(self) -> None:
        """Something was read, perhaps the last of it."""

    def reading(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return *call*, or what calls it once there is nothing left to be read."""


class Reading:
    """In front of a driver's cursor; everything but reading is the cursor's own."""

    def __init__(self, cursor: Any, clock: Clock) -> None:
        self._cursor = cursor
        self._clock = clock

    def watch(self, reader: Reader) -> None:
        """Begin with a new answer; *reader* is told how it goes."""
        self._reader = reader
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

    def scroll(self, *args: Any, **kwargs: Any) -> Any:
        """Move in the result, which may mean reading."""
        return self._read(self._cursor.scroll, *args, **kwargs)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchone, None)

    def _read(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._pause = max(self._pause, self._clock.monotonic() - self._read_at)
        try:
            answer = self._reader.reading(call)(*args, **kwargs)
        except BaseException as error:
            instead = self._reader.lost(error, self._pause)
            if instead is None:
                raise
            raise instead from error
        finally:
            self._read_at = self._clock.monotonic()
        self._reader.read()
        return answer
