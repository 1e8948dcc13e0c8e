"""Two small charts of the last ten minutes, as values for an SVG: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BUCKET = 10.0
BUCKETS = 60
WIDTH, HEIGHT = 600, 120

History = Sequence[Sequence[float]]
"""Of one process: when, used, idle, waiting, healed and raised until then."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart."""

    name: str
    points: str
    last: int


@dataclass(frozen=True, slots=True)
class Bar:
    """What happened in one bucket, in the chart's coordinates."""

    x: float
    healed_y: float
    healed_height: float
    raised_y: float
    raised_height: float
    healed: int
    raised: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Connections over time."""

    top: int
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses over time."""

    top: int
    bars: list[Bar]
    width: float = WIDTH / BUCKETS - 2


def usage(histories: Sequence[History], now: float) -> Usage:
    """Draw how many connections all processes used, had idle and waited for."""
    columns = {"used": 1, "idle": 2, "waiting": 3}
    sums = {name: _levels(histories, now, column) for name, column in columns.items()}
    top = max(1, *(value for values in sums.values() for value in values))
    lines = [Line(name, _polyline(values, top), round(values[-1])) for name, values in sums.items()]
    return Usage(round(top), lines)


def losses(histories: Sequence[History], now: float) -> Losses:
    """Draw how many losses there were in each bucket, healed and raised."""
    healed, raised = (_increases(histories, now, column) for column in (4, 5))
    top = max(1, *(h + r for h, r in zip(healed, raised, strict=True)))
    bars = []
    for number, (h, r) in enumerate(zip(healed, raised, strict=True)):
        if not h + r:
            continue
        high_h, high_r = HEIGHT * h / top, HEIGHT * r / top
        x = number * WIDTH / BUCKETS + 1
        bars.append(
            Bar(x, HEIGHT - high_h, high_h, HEIGHT - high_h - high_r, high_r, round(h), round(r))
        )
    return Losses(round(top), bars)


def _levels(histories: Sequence[History], now: float, column: int) -> list[float]:
    """Sum a state over all processes, for each bucket; it lasts until the next sample."""
    sums = [0.0] * BUCKETS
    for history in histories:
        last = _last_of_each_bucket(history, now)
        level = 0.0
        for bucket in range(min(last, default=BUCKETS), BUCKETS):
            if bucket in last:
                level = last[bucket][column]
            if bucket >= 0:
                sums[bucket] += level
    return sums


def _increases(histories: Sequence[History], now: float, column: int) -> list[float]:
    """Sum over all processes what was added to a count, for each bucket."""
    sums = [0.0] * BUCKETS
    for history in histories:
        before = history[0][column] if history else 0.0
        for bucket, sample in sorted(_last_of_each_bucket(history, now).items()):
            if bucket >= 0:
                sums[bucket] += max(0.0, sample[column] - before)
            before = sample[column]
    return sums


def _last_of_each_bucket(history: History, now: float) -> dict[int, Sequence[float]]:
    """Buckets before the chart's first have negative numbers."""
    return {BUCKETS - 1 - int(max(0.0, now - each[0]) // BUCKET): each for each in history}


def _polyline(values: Sequence[float], top: float) -> str:
    step = WIDTH / (BUCKETS - 1)
    return " ".join(
        f"{number * step:.1f},{HEIGHT - HEIGHT * value / top:.1f}"
        for number, value in enumerate(values)
    )
