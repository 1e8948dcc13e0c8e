"""A driver's cursor whose answer is still arriving."""

from __future__ import annotations

from typing import Any

import pytest

from django_lifeline.backends.reading import Reading
from django_lifeline.testing import FakeClock


class Cursor:
    """Gives three rows, and fails where told."""

    connection: object = "the driver's"
    description = "of the driver's cursor"

    def __init__(self, fails: BaseException | None = None) -> None:
        self.rows = [(1,), (2,), (3,)]
        self.fails = fails

    def fetchone(self) -> Any:
        if self.fails is not None and len(self.rows) < 3:
            raise self.fails
        return self.rows.pop(0) if self.rows else None

    def fetchmany(self, size: int = 1) -> Any:
        return [self.rows.pop(0) for _ in range(min(size, len(self.rows)))]


class Reader:
    """Is told how the reading went."""

    def __init__(self, instead: Exception | None) -> None:
        self.instead = instead
        self.losses: list[tuple[BaseException, float]] = []
        self.reads = 0

    def lost(self, error: BaseException, pause: float) -> Exception | None:
        self.losses.append((error, pause))
        return self.instead

    def read(self) -> None:
        self.reads += 1

    def reading(self, call: Any) -> Any:
        return call


def reading(cursor: Cursor, clock: FakeClock, instead: Exception | None = None) -> Any:
    """A cursor that is watched, and who is told what was read or lost."""
    watched, reader = Reading(cursor, clock), Reader(instead)
    watched.watch(reader)
    return watched, reader


def test_rows_come_as_from_the_drivers_cursor() -> None:
    watched, reader = reading(Cursor(), FakeClock())
    assert watched.fetchone() == (1,)
    assert watched.fetchmany(5) == [(2,), (3,)]
    assert list(watched) == []
    assert watched.description == Cursor.description
    assert reader.losses == [] and reader.reads == 3


def test_cutting_it_from_its_connection_reaches_the_drivers_cursor() -> None:
    cursor = Cursor()
    watched, _ = reading(cursor, FakeClock())
    watched.connection = None
    assert cursor.connection is None and watched.connection is None


def test_loss_is_told_with_the_longest_pause_between_reads() -> None:
    clock, failure = FakeClock(), OSError("gone")
    watched, reader = reading(Cursor(failure), clock)
    clock.advance(70)
    watched.fetchone()
    clock.advance(2)
    with pytest.raises(OSError, match="gone"):
        watched.fetchone()
    assert reader.losses == [(failure, 70.0)]


def test_error_that_explains_takes_the_place_of_the_drivers() -> None:
    watched, _ = reading(Cursor(OSError("gone")), FakeClock(), instead=ValueError("lost"))
    with pytest.raises(ValueError, match="lost") as raised:
        list(watched)
    assert str(raised.value.__cause__) == "gone"
