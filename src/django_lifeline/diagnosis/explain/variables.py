"""The server's variables, as people paste them beside their errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

NAMES = (
    "wait_timeout",
    "interactive_timeout",
    "max_allowed_packet",
    "net_read_timeout",
    "net_write_timeout",
    "max_connections",
    "max_user_connections",
    "connect_timeout",
)
STATUS = ("Uptime", "Aborted_clients", "Aborted_connects", "Threads_connected")

_KEPT = 16
_ANY = "|".join(NAMES)
# A client's table, a configuration file, SET, and what people type when they copy by hand.
_VALUE = re.compile(
    rf"(?<![\w]) (?P<name>{_ANY}) ['\"`]? \s* (?:\|\s*|=\s*|:=\s*|:\s*|\t\s*|\s{{2,}})"
    r"['\"]? (?P<value>\d{1,20}) (?P<unit>[KMGkmg]?) (?:i?[Bb])? \b",
    re.VERBOSE,
)
_SECONDS = re.compile(rf"(?<![\w])(?P<name>{_ANY})\s+(?P<value>\d{{1,20}})(?P<unit>)s?\b")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(slots=True)
class Variables:
    """Values read from a text, each with the line it stood on."""

    seen: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def read(self, number: int, text: str) -> bool:
        """Take the value that line *number* states, if it states one."""
        if "_timeout" not in text and "max_" not in text:
            return False
        found = _VALUE.search(text) or _SECONDS.search(text)
        if not found:
            return False
        name = found["name"]
        value = int(found["value"]) * _UNITS[found["unit"].lower()]
        values = self.seen.setdefault(name, [])
        if not values or values[-1][1] != value:
            values.append((number, value))
        del values[1:-_KEPT]
        return True

    def at(self, line: int) -> Mapping[str, int]:
        """Return the values in force at a line: the latest before it, else the first after it."""
        return {name: _in_force(values, line) for name, values in self.seen.items()}

    def changed_later(self, name: str, line: int) -> int | None:
        """Return the last value stated, if it is another than the one in force at *line*."""
        values = self.seen.get(name)
        if not values:
            return None
        last = values[-1][1]
        return last if last != _in_force(values, line) else None


def _in_force(values: list[tuple[int, int]], line: int) -> int:
    before = [value for number, value in values if number <= line]
    return before[-1] if before else values[0][1]
