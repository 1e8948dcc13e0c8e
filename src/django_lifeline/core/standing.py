"""What stands of what a transaction wrote: going back to a savepoint undoes the rest."""

from __future__ import annotations

import re
from collections.abc import Container
from itertools import pairwise

_GAP = r"(?:\s|/\*.*?\*/|(?:--\s|\#)[^\n]*\n)"
_CROSSED = re.compile(
    rf"{_GAP}*(SAVEPOINT|RELEASE(?={_GAP}+SAVEPOINT)|ROLLBACK(?={_GAP}+(?:WORK{_GAP}+)?TO))"
    rf"(?:{_GAP}+WORK)?(?:{_GAP}+TO)?(?:{_GAP}+SAVEPOINT)?{_GAP}+"
    r"(`[^`]+`|\"[^\"]+\"|[^\s;`\"/]+)",
    re.IGNORECASE | re.DOTALL,
)
"""A statement about a savepoint: its first word, and the name."""


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

    def cross(self, sql: str) -> None:
        """Take in that a savepoint was set, released or returned to."""
        crossed = _CROSSED.match(sql)
        if crossed is None:
            return
        keyword, name = crossed[1].upper(), crossed[2].strip('`"').lower()
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

    def since(self, names: Container[str]) -> set[str]:
        """After which of these savepoints something was written, up to the next; "" before all."""
        bounds = (0, *self.marks.values(), self.writes)
        found, latest = set(), ""
        for name, (before, after) in zip(("", *self.marks), pairwise(bounds), strict=True):
            latest = name if name in names else latest
            if before < after:
                found.add(latest)
        return found
