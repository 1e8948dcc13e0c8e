"""What the charts draw: buckets of ten seconds, summed over all processes."""

from __future__ import annotations

from django_lifeline.panel.charts import BUCKETS, HEIGHT, losses, usage

NOW = 10_000.0


def test_usage_sums_what_each_process_said_last() -> None:
    one = [[NOW - 15, 1, 0, 0, 0, 0], [NOW - 12, 3, 1, 0, 0, 0], [NOW - 1, 2, 0, 4, 0, 0]]
    other = [[NOW - 14, 5, 0, 0, 0, 0]]
    chart = usage([one, other], NOW)
    used, idle, waiting = chart.lines
    assert chart.top == 8
    assert [line.last for line in chart.lines] == [7, 0, 4]
    ys = [float(point.split(",")[1]) for point in used.points.split()]
    assert len(ys) == BUCKETS
    assert ys[-2:] == [0.0, HEIGHT * 1 / 8]
    assert set(ys[:-2]) == {HEIGHT}
    assert (idle.name, waiting.name) == ("idle", "waiting")


def test_losses_are_the_increase_and_not_what_came_before_the_first_sample() -> None:
    history = [[NOW - 65, 0, 0, 0, 100, 7], [NOW - 35, 0, 0, 0, 103, 7], [NOW - 5, 0, 0, 0, 103, 8]]
    chart = losses([history], NOW)
    assert chart.top == 3
    assert [(bar.healed, bar.raised) for bar in chart.bars] == [(3, 0), (0, 1)]
    assert chart.bars[0].healed_height == HEIGHT
    assert chart.bars[1].raised_y == HEIGHT - HEIGHT / 3


def test_samples_older_than_the_chart_only_set_the_start() -> None:
    history = [[NOW - 5000, 9, 9, 9, 0, 0], [NOW - 5, 1, 0, 0, 2, 0]]
    assert losses([history], NOW).top == 2
    # A state lasts until the next sample.
    assert usage([history], NOW).top == 9
    assert usage([history], NOW).lines[0].last == 1


def test_processes_without_a_past_draw_nothing() -> None:
    assert losses([[]], NOW).bars == []
    assert usage([], NOW).top == 1
