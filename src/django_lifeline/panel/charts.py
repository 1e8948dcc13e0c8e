"""Two small charts of the last ten minutes, as values for an SVG: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    sums = {name: _summed(histories, now, _level(column)) for name, column in columns.items()}
    top = max(1, *(value for values in sums.values() for value in values))
    lines = [Line(name, _polyline(values, top), round(values[-1])) for name, values in sums.items()]
    return Usage(round(top), lines)


def losses(histories: Sequence[History], now: float) -> Losses:
    """Draw how many losses there were in each bucket, healed and raised."""
    healed, raised = (_summed(histories, now, _increase(column)) for column in (4, 5))
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


Value = Callable[[Sequence[float], Sequence[float]], float]
"""What of a bucket's last sample and the one before it counts."""


def _level(column: int) -> Value:
    return lambda before, after: after[column]


def _increase(column: int) -> Value:
    return lambda before, after: max(0.0, after[column] - before[column])


def _summed(histories: Sequence[History], now: float, value: Value) -> list[float]:
    """Sum *value* over all processes, for each bucket."""
    sums = [0.0] * BUCKETS
    for history in histories:
        last: dict[int, Sequence[float]] = {}
        for sample in history:
            last[BUCKETS - 1 - int(max(0.0, now - sample[0]) // BUCKET)] = sample
        before = history[0] if history else ()
        for bucket in sorted(last):
            if bucket >= 0:
                sums[bucket] += value(before, last[bucket])
            before = last[bucket]
    return sums


def _polyline(values: Sequence[float], top: float) -> str:
    step = WIDTH / (BUCKETS - 1)
    return " ".join(
        f"{number * step:.1f},{HEIGHT - HEIGHT * value / top:.1f}"
        for number, value in enumerate(values)
    )
