"""Draws what happened in a cell as SVG: time from left to right, program above, server below.

The time axis is not to scale: a gap between two events takes room by the logarithm of its
length, so that a millisecond is still seen beside a night.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from lifeline_lab.history import Call, Event, code_of, pair

WIDTH = 560
LEFT, RIGHT = 70, 22
LANE, GAP = 30, 14
WITH_FAULTS, WITHOUT = 40, 8
MOST_LANES = 5
MOST_SESSIONS = 4
SESSION = 15
LETTER = 5.6
"""Width of a letter of the small type, about."""
BOLD = 6.9


class Axis:
    """Turns a time into a place; every gap gets room by its logarithm."""

    def __init__(self, times: Iterable[float], left: float, right: float) -> None:
        self.times = sorted(set(times)) or [0.0]
        steps = [0.0]
        for before, after in zip(self.times, self.times[1:], strict=False):
            steps.append(steps[-1] + 0.25 + math.log10(1 + (after - before) * 1000))
        scale = (right - left) / (steps[-1] or 1.0)
        self._places = [left + step * scale for step in steps]

    def x(self, t: float) -> float:
        """Return the place of a time; between two events it is interpolated."""
        after = bisect_right(self.times, t)
        if after == 0:
            return self._places[0]
        if after == len(self.times):
            return self._places[-1]
        begin, end = self.times[after - 1], self.times[after]
        part = (t - begin) / (end - begin)
        return self._places[after - 1] + part * (self._places[after] - self._places[after - 1])


@dataclass(frozen=True, slots=True)
class SessionBar:
    """One session of the server: when it began and ended, as far as is known."""

    number: int
    begin: float
    end: float
    ended: bool


def draw(history: tuple[Event, ...], title: str) -> str:
    """Return a complete ``<svg>`` element; it stands on its own in any page that has our styles."""
    history = _from_ready(history)
    calls = pair(history)
    end = history[-1].t if history else 0.0
    bars = sessions(history, end)
    axis = Axis(_moments(history, calls), LEFT, WIDTH - RIGHT)
    lanes = _lanes(calls, history)
    names = lane_names(history, lanes)
    top = WITH_FAULTS if any(event.event == "fault" for event in history) else WITHOUT
    server_top = top + len(lanes) * LANE + GAP
    rows = _stack(bars)
    height = server_top + _server_height(rows) + 34
    parts = [
        _axis_line(axis, height - 22),
        *(
            _lane(axis, names[lane], [c for c in calls if c.lane == lane], top + number * LANE)
            for number, lane in enumerate(lanes)
        ),
        *_idle(axis, history, top, len(lanes) * LANE),
        _server(axis, bars, rows, server_top, end),
        *_faults(axis, history, height - 22),
        *_connects(axis, history, lanes, top, server_top),
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}" '
        f'class="timeline">{"".join(parts)}</svg>'
    )


def lane_names(history: tuple[Event, ...], lanes: list[str]) -> dict[str, str]:
    """Name each lane: the program, its children by number, its threads by their names."""
    first = next((event.lane.split(" ")[0] for event in history if event.event == "ready"), "")
    children = list(dict.fromkeys(pid for lane in lanes if (pid := lane.split(" ")[0]) != first))
    names = {}
    for lane in lanes:
        pid, _, thread = lane.partition(" ")
        process = "program" if pid in (first, "") else f"child {children.index(pid) + 1}"
        names[lane] = process if thread in ("MainThread", "") else thread
    return names


def sessions(history: tuple[Event, ...], last: float) -> list[SessionBar]:
    """Join what the program and the observer saw of each session."""
    begins: dict[int, float] = {}
    ends: dict[int, float] = {}
    for event in history:
        number = event.facts.get("session")
        if not isinstance(number, int):
            continue
        if event.event in ("connected", "session opened"):
            begins.setdefault(number, event.t)
        elif event.event == "session ended":
            ends.setdefault(number, event.t)
    return [
        SessionBar(number, begin, ends.get(number, last), number in ends)
        for number, begin in sorted(begins.items(), key=lambda item: item[1])
    ]


def _from_ready(history: tuple[Event, ...]) -> tuple[Event, ...]:
    first = next((place for place, event in enumerate(history) if event.event == "ready"), 0)
    last = next((e.t for e in reversed(history) if e.event in ("done", "ok", "fail")), None)
    return tuple(e for e in history[first:] if last is None or e.t <= last + 0.05)


def _moments(history: tuple[Event, ...], calls: list[Call]) -> list[float]:
    shown = ("ready", "connected", "session opened", "session ended", "pause", "resume", "fault")
    times = [event.t for event in history if event.event in (*shown, "logged", "done")]
    for call in calls:
        times.append(call.begin.t)
        if call.end is not None:
            times.append(call.end.t)
    return times


def _lanes(calls: list[Call], history: tuple[Event, ...]) -> list[str]:
    """Return the lanes to draw: those where something failed come first."""
    every = list(dict.fromkeys(call.lane for call in calls))
    failed = {event.lane for event in history if event.event == "fail"}
    kept = sorted(every, key=lambda lane: lane not in failed)[:MOST_LANES]
    return [lane for lane in every if lane in kept] or [""]


def _stack(bars: list[SessionBar]) -> list[list[SessionBar]]:
    """Put sessions that do not overlap into one row."""
    rows: list[list[SessionBar]] = []
    for bar in bars:
        free = next((row for row in rows if row[-1].end <= bar.begin), None)
        if free is None:
            rows.append([bar])
        else:
            free.append(bar)
    return rows


def _server_height(rows: list[list[SessionBar]]) -> float:
    return 60 if len(rows) > MOST_SESSIONS else max(len(rows), 1) * (SESSION + 4)


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def _lane(axis: Axis, name: str, calls: list[Call], y: float) -> str:
    parts = [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y + 20}" y2="{y + 20}" class="rail"/>',
        _text(LEFT - 8, y + 24, _short(name, 11), "who", "end"),
    ]
    free = 0.0
    for call in calls:
        begin = axis.x(call.begin.t)
        width = max(axis.x(call.end.t) - begin, 3) if call.end else WIDTH - RIGHT - begin
        kind, word = _end_of(call)
        parts.append(
            f'<rect x="{begin:.1f}" y="{y + 14}" width="{width:.1f}" height="12" rx="2" '
            f'class="{kind}"><title>{escape(call.op)}: {escape(word)}</title></rect>'
        )
        shown = word if kind == "bad" else call.op
        needed = len(_short(shown, 16)) * (BOLD if kind == "bad" else LETTER)
        if begin >= free and begin + needed < WIDTH - 4:
            parts.append(_text(begin, y + 10, _short(shown, 16), f"{kind}-word"))
            free = begin + needed + 6
    return "".join(parts)


def _end_of(call: Call) -> tuple[str, str]:
    if call.end is None:
        return "bad", "never ends"
    if call.end.event == "ok":
        facts = call.end.facts
        if "wanted" in facts and facts["wanted"] != facts["value"]:
            return "bad", "wrong rows"
        return "good", "ok"
    if call.end.event == "interrupted":
        return "cut", "interrupted"
    return "bad", code_of(call.end)


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


def _server(
    axis: Axis, bars: list[SessionBar], rows: list[list[SessionBar]], top: float, end: float
) -> str:
    height = _server_height(rows)
    parts = [
        f'<rect x="{LEFT}" y="{top - 4}" width="{WIDTH - LEFT - RIGHT}" height="{height + 6}" '
        'rx="4" class="server"/>',
        _text(LEFT - 8, top + 12, "server", "who", "end"),
    ]
    if len(rows) > MOST_SESSIONS:
        return "".join([*parts, _crowd(axis, bars, top, height, end)])
    for number, row in enumerate(rows):
        y = top + number * (SESSION + 4)
        for bar in row:
            x = axis.x(bar.begin)
            width = max(axis.x(bar.end) - x, 3)
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{SESSION}" rx="3" '
                f'class="session"><title>session {bar.number}</title></rect>'
            )
            if width > 62:
                parts.append(_text(x + 6, y + 11, f"session {bar.number}", "in-bar"))
            if bar.ended:
                parts.append(_cross(x + width, y + SESSION / 2))
    return "".join(parts)


def _crowd(axis: Axis, bars: list[SessionBar], top: float, height: float, end: float) -> str:
    """Draw the number of sessions, where there are too many to draw each."""
    changes = sorted([(bar.begin, 1) for bar in bars] + [(b.end, -1) for b in bars if b.ended])
    count, most, steps = 0, 0, []
    for when, change in changes:
        count += change
        most = max(most, count)
        steps.append((when, count))
    points = [f"{axis.x(steps[0][0]):.1f},{top + height:.1f}"]
    level = 0
    for when, now in steps:
        points += [_point(axis, when, level, most, top, height)]
        points += [_point(axis, when, now, most, top, height)]
        level = now
    points += [_point(axis, end, level, most, top, height), f"{axis.x(end):.1f},{top + height:.1f}"]
    return f'<polygon points="{" ".join(points)}" class="session"/>' + _text(
        LEFT + 6, top + 12, f"up to {most} sessions", "in-bar"
    )


def _point(axis: Axis, t: float, count: int, most: int, top: float, height: float) -> str:
    return f"{axis.x(t):.1f},{top + height - count / max(most, 1) * (height - 16):.1f}"


def _cross(x: float, y: float) -> str:
    return f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8" class="cross"/>'


def _idle(axis: Axis, history: tuple[Event, ...], top: float, height: float) -> list[str]:
    parts = []
    begin: Event | None = None
    for event in history:
        if event.event == "pause":
            begin = event
        elif event.event == "resume" and begin is not None:
            x, end = axis.x(begin.t), axis.x(event.t)
            parts.append(
                f'<rect x="{x:.1f}" y="{top + 12}" width="{end - x:.1f}" height="{height - 14}" '
                'class="idle" rx="3"/>'
            )
            seconds = f"{event.t - begin.t:.1f} s"
            words = _short(f"{begin.op}, {seconds}", max(int((end - x) / LETTER), 4))
            parts.append(_text((x + end) / 2, top + height / 2 + 9, words, "idle-word", "middle"))
            begin = None
    return parts


def _faults(axis: Axis, history: tuple[Event, ...], bottom: float) -> list[str]:
    parts = []
    free = [0.0, 0.0]
    for event in history:
        if event.event != "fault":
            continue
        x = axis.x(event.t)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="28" y2="{bottom}" class="fault"/>')
        needed = len(event.op) * BOLD
        begin = min(max(x - needed / 2, 2), WIDTH - needed - 2)
        row = next((number for number, end in enumerate(free) if begin >= end), None)
        if row is not None:
            parts.append(_text(begin, 12 + row * 12, event.op, "fault-word"))
            free[row] = begin + needed + 8
    return parts


def _connects(
    axis: Axis, history: tuple[Event, ...], lanes: list[str], top: float, server_top: float
) -> list[str]:
    parts = []
    seen: set[object] = set()
    for event in history:
        number = event.facts.get("session")
        if event.event != "connected" or number in seen:
            continue
        seen.add(number)
        lane = lanes.index(event.lane) if event.lane in lanes else len(lanes) - 1
        x, y = axis.x(event.t), top + lane * LANE + 20
        parts.append(
            f'<path d="M{x:.1f} {y}V{server_top}" class="connect"/>'
            f'<circle cx="{x:.1f}" cy="{y}" r="3.5" class="connect-dot">'
            f"<title>connects, session {number}</title></circle>"
        )
    return parts if len(parts) <= 12 else parts[:12]


def _axis_line(axis: Axis, y: float) -> str:
    parts = [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" class="axis"/>']
    zero = axis.times[0]
    free = 0.0
    for t in axis.times:
        x = axis.x(t)
        if x >= free:
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 4}" class="axis"/>')
            parts.append(_text(x, y + 15, _seconds(t - zero), "tick", "middle"))
            free = x + 46
    return "".join(parts)


def _seconds(span: float) -> str:
    if span < 0.0005:
        return "0"
    return f"{span * 1000:.0f} ms" if span < 1 else f"{span:.2f} s"
