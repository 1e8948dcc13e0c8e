"""From a text, a stream of lines or an exception to its explanation."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from django_lifeline.diagnosis.explain import records, render, stamps, subject
from django_lifeline.diagnosis.explain.blocks import Assembler, Block
from django_lifeline.diagnosis.explain.envelope import Line, unwrapped
from django_lifeline.diagnosis.explain.groups import Gathering, Group
from django_lifeline.diagnosis.explain.losses import loss_in
from django_lifeline.diagnosis.explain.render import Finding
from django_lifeline.diagnosis.explain.rules.ranking import verdict_on
from django_lifeline.diagnosis.explain.serverlog import Event, event_in
from django_lifeline.diagnosis.explain.stack import Frame
from django_lifeline.diagnosis.explain.variables import Variables
from django_lifeline.diagnosis.saying import language

_ZONES = 15 * 3600.0


@dataclass(frozen=True, slots=True)
class LiveServer:
    """What a server said of itself when it was asked."""

    variables: Mapping[str, int]
    """Its global variables, and counters such as ``Aborted_clients``."""
    started: float | None = None
    """When it started, in seconds since 1970 by its own clock."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which connections a text tells were lost, and why. ``str()`` is for people."""

    findings: tuple[Finding, ...] = ()
    """Losses of the same shape together, the most frequent first."""
    lines: int = 0
    """How many lines were read."""
    lang: str = "en"
    server: LiveServer | None = None
    events: Mapping[Event, int] = field(default_factory=dict)
    about: bool = False
    """Whether the text speaks of lost connections without showing one."""

    def __str__(self) -> str:
        return render.as_text(self.findings, self.lines, self.lang, about=self.about)

    def as_dict(self) -> dict[str, object]:
        """Return it as plain values, as ``--json`` prints it."""
        return {
            "lines": self.lines,
            "groups": [render.as_dict(finding, self.lang) for finding in self.findings],
            "server_log": {event.value: count for event, count in self.events.items()},
            "server": dict(self.server.variables) if self.server else None,
            "about_connections": self.about,
        }


class Reader:
    """Takes lines one by one and keeps what they tell, in bounded memory."""

    def __init__(self, outer: Sequence[Frame] = ()) -> None:
        self._outer = outer
        self._assembler = Assembler()
        self._gathering = Gathering()
        self._variables = Variables()
        self.lines = 0
        self._about = False

    def read(self, lines: Iterable[str]) -> None:
        """Take all of *lines*."""
        before = self.lines
        for number, text in records.documents(self._counted(lines)):
            for line in unwrapped(before + number, text):
                self._take(line)

    def _counted(self, lines: Iterable[str]) -> Iterator[str]:
        for text in lines:
            self.lines += 1
            yield text

    def explanation(self, lang: str = "en", server: LiveServer | None = None) -> Explanation:
        """Close what is open and explain what was found."""
        for block in self._assembler.finish():
            self._note(block)
        findings = tuple(self._finding(group, server) for group in self._gathering)
        events = Counter(self._gathering.events)
        return Explanation(findings, self.lines, lang, server, events, self._about)

    def _take(self, line: Line) -> None:
        event = event_in(line.body)
        if event is not None:
            self._gathering.see(event, line.number, stamps.seconds_of(line.stamp))
            return
        states = self._variables.read(line.number, line.body)
        self._about = self._about or states or subject.speaks_of_it(line.body)
        for block in self._assembler.feed(line):
            self._note(block)

    def _note(self, block: Block) -> None:
        loss = loss_in(block, self._outer)
        if loss is not None:
            self._gathering.add(loss)

    def _finding(self, group: Group, server: LiveServer | None) -> Finding:
        variables = self._variables
        if server is not None:
            variables = Variables({name: [(0, v)] for name, v in server.variables.items()})
        facts = group.facts(variables, _up_since(group, server))
        return Finding(group, facts, verdict_on(facts))


def _up_since(group: Group, server: LiveServer | None) -> float | None:
    first = group.first
    if server is None or server.started is None or first.time is None:
        return None
    span = first.time - server.started
    if first.zoned:
        return span
    # Without a zone the time may be off by half a day: only a long span says something.
    return span - _ZONES if span > _ZONES else None


def explain(text_or_exception: str | BaseException, lang: str = "en") -> Explanation:
    """Say which lost connections a log, a traceback or an exception tells of, and why.

    ``lang`` is ``en`` or ``zh-hans`` (or ``zh``); another raises ``ValueError``.
    """
    lang = language(lang)
    if isinstance(text_or_exception, BaseException):
        reader = Reader(_frames_round(text_or_exception))
        text = "".join(traceback.format_exception(text_or_exception))
    else:
        reader = Reader()
        text = text_or_exception
    reader.read(text.splitlines())
    return reader.explanation(lang)


def _frames_round(error: BaseException) -> list[Frame]:
    """Return the callers of the function that caught *error*: its traceback ends there."""
    if error.__traceback__ is None:
        return []
    stack = traceback.walk_stack(error.__traceback__.tb_frame.f_back)
    return [Frame(f.f_code.co_filename, f.f_code.co_name) for f, _ in stack][::-1]
