"""A line chart as SVG, from plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 900, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 16, 34
STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Chart:
    """What the template draws: paths and labels with their places."""

    line: str
    area: str
    rows: list[tuple[float, str]]
    columns: list[tuple[float, str]]
    last: tuple[float, float]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT


def chart(days: Sequence[date], prices: Sequence[float]) -> Chart:
    """Place at least two prices, one for each day."""
    step = nice_step((max(prices) - min(prices)) / 4)
    low = min(prices) // step * step
    high = (max(prices) // step + 1) * step
    across = (WIDTH - LEFT - RIGHT) / (len(prices) - 1)
    up = (HEIGHT - TOP - BOTTOM) / (high - low)
    base = HEIGHT - BOTTOM
    points = [(LEFT + n * across, base - (price - low) * up) for n, price in enumerate(prices)]
    line = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    levels = [low + n * step for n in range(round((high - low) / step) + 1)]
    firsts = [n for n in range(1, len(days)) if days[n].month != days[n - 1].month]
    return Chart(
        line=line,
        area=f"{line} L{points[-1][0]:.1f} {base} L{LEFT} {base} Z",
        rows=[(base - (level - low) * up, f"{level:,.0f}") for level in levels],
        columns=[(points[n][0], f"{days[n]:%b}") for n in firsts],
        last=points[-1],
    )


def nice_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, 50 … that is not below *least*."""
    power = 1.0
    while True:
        for step in STEPS:
            if step * power >= least:
                return step * power
        power *= 10
