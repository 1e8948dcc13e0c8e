"""What stands of what a transaction wrote: going back to a savepoint undoes the rest."""

from __future__ import annotations

from itertools import compress, pairwise


class Standing:
    """Counts the writes of an open transaction, and remembers how many there were at a savepoint.

    It is in the hand of whoever holds the connection, and needs no lock.
    """

    __slots__ = ("marks", "writes")

    def __init__(self) -> None:
        self.writes = 0
        """How many were answered, and not undone."""
        self.marks: dict[str, int] = {}
        """How many of these there were at each savepoint that is set, by its name, in order."""

    def begin(self) -> None:
        """Another transaction begins."""
        self.writes = 0
        if self.marks:
            self.marks = {}

    def cross(self, keyword: str, sql: str) -> None:
        """Take in that a savepoint was set, released or returned to."""
        name = sql.split()[-1].strip("`;").lower()
        if keyword == "SAVEPOINT":
            self.marks.pop(name, None)
            self.marks[name] = self.writes
        elif keyword == "ROLLBACK":
            if name in self.marks:
                self.writes = self._forget_since(name)
                self.marks[name] = self.writes
        elif name in self.marks:
            self._forget_since(name)

    def _forget_since(self, name: str) -> int:
        while (last := self.marks.popitem())[0] != name:
            pass
        return last[1]

    def since(self) -> list[str]:
        """The savepoints after which something was written, up to the next; "" before the first."""
        bounds = (0, *self.marks.values(), self.writes)
        wrote = (before < after for before, after in pairwise(bounds))
        return list(compress(("", *self.marks), wrote))
