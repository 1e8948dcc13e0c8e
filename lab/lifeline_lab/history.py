"""What happened in a cell, as recorded by the program and by the lab; plain values only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FAILURES = ("fail", "logged")


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a history; ``t`` is in seconds of the machine's monotonic clock."""

    t: float
    event: str
    op: str = ""
    lane: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One thing the program wanted: from its start to its end, if it ended."""

    op: str
    lane: str
    begin: Event
    end: Event | None

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it never ended."""
        return None if self.end is None else self.end.t - self.begin.t


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a judge may look at."""

    history: tuple[Event, ...] = ()
    rows: Mapping[str, Sequence[tuple[Any, ...]]] = field(default_factory=dict)
    """The stored rows of each of the lab's tables, read by an administrator afterwards."""
    exit_status: int | None = 0
    """The program's; None when it did not end in time, negative when a signal ended it."""
    stderr: str = ""

    def events(self, *names: str) -> list[Event]:
        """Return the events of these names, in order of time."""
        return [event for event in self.history if event.event in names]

    def has(self, name: str) -> bool:
        """Tell whether such an event happened."""
        return any(event.event == name for event in self.history)

    def calls(self, op: str | None = None) -> list[Call]:
        """Return what the program attempted, all of it or one operation."""
        return [call for call in pair(self.history) if op is None or call.op == op]


def parse(lines: Iterable[str]) -> list[Event]:
    """Read history lines; a line cut short by a dying process is left out."""
    events = []
    for line in lines:
        try:
            facts = json.loads(line)
            named = {name: facts.pop(name) for name in ("t", "event", "op", "lane")}
        except (ValueError, KeyError):
            continue
        events.append(Event(**named, facts=facts))
    return sorted(events, key=lambda event: event.t)


def pair(history: Iterable[Event]) -> list[Call]:
    """Join every start with its end: the next end of that operation in the same lane."""
    calls: list[Call] = []
    open_calls: dict[tuple[str, str], list[Event]] = {}
    for event in history:
        key = (event.lane, event.op)
        if event.event == "start":
            open_calls.setdefault(key, []).append(event)
        elif event.event in ("ok", "fail", "interrupted") and open_calls.get(key):
            calls.append(Call(event.op, event.lane, open_calls[key].pop(), event))
    for (lane, op), begins in open_calls.items():
        calls += [Call(op, lane, begin, None) for begin in begins]
    return sorted(calls, key=lambda call: call.begin.t)


def code_of(event: Event) -> str:
    """Return an error's number, PyMySQL's ``(0, '')``, or a class where no number is given."""
    code = event.facts.get("code")
    if code == 0:
        return "(0, '')"
    return str(code) if code else str(event.facts.get("error", "error"))


def codes(history: Iterable[Event]) -> list[str]:
    """Return the distinct error numbers the caller met, in order."""
    found: list[str] = []
    for event in history:
        if event.event in FAILURES:
            name = code_of(event)
            if name not in found:
                found.append(name)
    return found
