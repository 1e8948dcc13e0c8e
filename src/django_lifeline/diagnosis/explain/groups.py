"""Losses of the same shape, gathered in bounded memory."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from django_lifeline.diagnosis.explain.facts import Facts
from django_lifeline.diagnosis.explain.losses import Loss
from django_lifeline.diagnosis.explain.serverlog import Event
from django_lifeline.diagnosis.explain.stack import Place
from django_lifeline.diagnosis.explain.variables import Variables

GROUPS = 100
"""Groups that are told apart; later shapes join those that differ in the code's place only."""

NEAR = 120.0
"""Seconds between events that may have to do with each other."""

_NEAR_LINES = 200
_MOMENT = 10.0
_SOON = 600.0
_STREAMS = 4096
_RECENT = 64
_UNREACHABLE = frozenset({2002, 2003, 1053})
_DEAD_HANDLE = frozenset({0, 2006})


@dataclass(slots=True)
class Group:
    """Losses with the same number, step and place."""

    first: Loss
    last: Loss
    count: int = 0
    streams: set[str] = field(default_factory=set)
    drivers: Counter[str] = field(default_factory=Counter)
    jobs: Counter[str] = field(default_factory=Counter)
    keywords: Counter[str] = field(default_factory=Counter)
    follows: Counter[int | None] = field(default_factory=Counter)
    details: set[str] = field(default_factory=set)
    events: set[Event] = field(default_factory=set)
    shortest_pause: float | None = None
    longest_pause: float | None = None
    pauses: int = 0
    longest_since_success: float | None = None
    at_once: int = 1
    refused_near: bool = False

    @property
    def place(self) -> Place:
        """Where all of them happened."""
        return self.first.place

    def add(self, loss: Loss, follows: int | None) -> None:
        """Count *loss* in."""
        self.count += 1
        self.last = loss
        self.details |= loss.sign.details
        self.follows[follows] += 1
        for counter, name in (
            (self.drivers, loss.driver),
            (self.jobs, loss.job),
            (self.keywords, loss.keyword),
        ):
            if name and (name in counter or len(counter) < 20):
                counter[name] += 1
        if len(self.streams) < _STREAMS:
            self.streams.add(loss.stream)
        if loss.pause is not None:
            self.pauses += 1
            self.shortest_pause = min(loss.pause, self.shortest_pause or loss.pause)
            self.longest_pause = max(loss.pause, self.longest_pause or loss.pause)
        if loss.since_success is not None:
            self.longest_since_success = max(loss.since_success, self.longest_since_success or 0.0)

    def facts(self, variables: Variables, up_since: float | None = None) -> Facts:
        """Return what the rules work with."""
        in_force = variables.at(self.first.line)
        later = {name: variables.changed_later(name, self.first.line) for name in in_force}
        earlier, times = self.follows.most_common(1)[0] if self.follows else (None, 0)
        return Facts(
            code=self.first.sign.code,
            details=frozenset(self.details),
            certain=self.first.sign.certain,
            driver=next((name for name, _ in self.drivers.most_common(1)), ""),
            step=self.place.step,
            contexts=self.place.contexts,
            first_query=self.place.first_query,
            interrupted_by=self.first.interrupted_by,
            forked=self.first.forked,
            large=self.first.large,
            told=self.first.told,
            label=self.first.label,
            count=self.count,
            processes=max(1, len(self.streams)),
            at_once=self.at_once,
            shortest_pause=self.shortest_pause,
            longest_pause=self.longest_pause,
            pauses=self.pauses,
            follows=earlier if times * 2 > self.count else None,
            refused_near=self.refused_near,
            events=frozenset(self.events),
            variables=in_force,
            changed_later={name: value for name, value in later.items() if value is not None},
            up_since=up_since,
        )


@dataclass(slots=True)
class _Happening:
    """Something with a time, remembered for as long as it may explain something else."""

    line: int
    time: float | None
    what: Group | Event
    stream: str = ""

    def near(self, line: int, time: float | None) -> bool:
        if self.time is None or time is None:
            return abs(line - self.line) <= _NEAR_LINES
        return abs(time - self.time) <= NEAR


class Gathering:
    """Sorts losses into groups and sees what happened at the same time."""

    def __init__(self) -> None:
        self._groups: dict[object, Group] = {}
        self._recent: deque[_Happening] = deque(maxlen=_RECENT)
        self._latest: dict[str, Loss] = {}
        self.events: Counter[Event] = Counter()
        self.total = 0

    def __iter__(self) -> Iterator[Group]:
        """Yield the groups, the largest first; among equals the earliest."""
        mentions_only = not any(g.first.sign.certain for g in self._groups.values())
        shown = [g for g in self._groups.values() if mentions_only or g.first.sign.certain]
        return iter(sorted(shown, key=lambda group: (-group.count, group.first.line)))

    def add(self, loss: Loss) -> None:
        """Count a loss."""
        self.total += loss.sign.certain
        group = self._group_of(loss)
        group.add(loss, self._follows(loss))
        if len(self._latest) >= _STREAMS:
            self._latest.clear()
        self._latest[loss.stream] = loss
        happening = _Happening(loss.line, loss.time, group, loss.stream)
        self._connect(group, happening)
        self._recent.append(happening)

    def see(self, event: Event, line: int, time: float | None) -> None:
        """Note what a server's log tells."""
        self.events[event] += 1
        happening = _Happening(line, time, event)
        for other in self._recent:
            if isinstance(other.what, Group) and other.near(line, time):
                other.what.events.add(event)
        self._recent.append(happening)

    def _group_of(self, loss: Loss) -> Group:
        sign, place = loss.sign, loss.place
        # The driver is not part of it: the same loss is told with and without its module's name.
        shape: tuple[object, ...] = (
            *(sign.code, sign.certain, place.step, place.contexts, place.first_query),
            *(loss.interrupted_by, loss.told, loss.label, place.code, loss.forked),
        )
        if shape not in self._groups and len(self._groups) >= GROUPS:
            shape = (sign.code, sign.certain, "any place")
        group = self._groups.get(shape)
        if group is None:
            group = self._groups[shape] = Group(loss, loss)
        return group

    def _follows(self, loss: Loss) -> int | None:
        """The number of the loss that left the handle dead which this one used."""
        before = self._latest.get(loss.stream)
        if before is None or loss.sign.code not in _DEAD_HANDLE:
            return None
        if loss.time is None or before.time is None:
            soon = loss.line - before.line <= _NEAR_LINES
        else:
            soon = 0 <= loss.time - before.time <= _SOON
        return before.sign.code if soon else None

    def _connect(self, group: Group, happening: _Happening) -> None:
        """Tell groups of what happened close by."""
        line, time = happening.line, happening.time
        refused = group.first.sign.code in _UNREACHABLE
        together = {happening.stream}
        touched = {id(group): group}
        for other in self._recent:
            if not other.near(line, time):
                continue
            if isinstance(other.what, Event):
                group.events.add(other.what)
                continue
            if other.what.first.sign.code in _UNREACHABLE:
                group.refused_near = True
            if refused:
                other.what.refused_near = True
            if time is not None and other.time is not None and abs(time - other.time) <= _MOMENT:
                together.add(other.stream)
                touched[id(other.what)] = other.what
        for member in touched.values():
            member.at_once = max(member.at_once, len(together))
