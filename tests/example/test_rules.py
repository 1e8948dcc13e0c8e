"""When a schedule is due, also in the nights when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

pytest.importorskip("croniter", reason="pip install --group example")

from mail.rules import Cron, Daily, Every, Rule, due_times

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)


def local(rule: Rule, moment: datetime, count: int) -> list[str]:
    """The next due times by the clock on the wall."""
    found = []
    for _ in range(count):
        moment = rule.after(moment)
        found.append(moment.astimezone(BERLIN).strftime("%d %H:%M"))
    return found


def test_daily_stays_at_its_clock_time_when_clocks_change() -> None:
    seven = Daily(time(7), BERLIN)
    assert local(seven, SPRING, 2) == ["29 07:00", "30 07:00"]
    assert local(seven, AUTUMN, 2) == ["25 07:00", "26 07:00"]


def test_daily_at_a_time_that_a_night_has_not_or_has_twice_is_due_once() -> None:
    half_past_two = Daily(time(2, 30), BERLIN)
    assert local(half_past_two, SPRING, 2) == ["29 03:30", "30 02:30"]
    assert local(half_past_two, AUTUMN, 2) == ["25 02:30", "26 02:30"]


def test_cron_runs_by_the_wall_clock_so_an_hour_that_comes_twice_counts_twice() -> None:
    assert local(Cron("30 2 * * *", BERLIN), AUTUMN, 3) == ["25 02:30", "25 02:30", "26 02:30"]
    assert local(Cron("0 7 * * 1-5", BERLIN), AUTUMN, 2) == ["26 07:00", "27 07:00"]


def test_cron_in_the_hour_that_a_spring_night_has_not_is_due_at_its_end() -> None:
    assert local(Cron("30 2 * * *", BERLIN), SPRING, 2) == ["29 03:00", "30 02:30"]


def test_cron_rule_of_a_day_that_never_comes_is_told() -> None:
    with pytest.raises(ValueError, match="never comes"):
        Cron("0 0 31 2 *", BERLIN).after(SPRING)


def test_every_so_many_minutes_is_counted_from_the_full_hour() -> None:
    assert local(Every(20), datetime(2026, 5, 1, 8, 7, 9, tzinfo=UTC), 3) == [
        "01 10:20",
        "01 10:40",
        "01 11:00",
    ]


@pytest.mark.parametrize(
    "rule", [Daily(time(7), BERLIN), Every(7), Cron("*/5 * * * *", BERLIN)], ids=str
)
def test_a_due_time_is_always_later_than_the_moment_asked_about(rule: Rule) -> None:
    due = rule.after(SPRING)
    for _ in range(300):
        following = rule.after(due)
        assert following > due
        assert rule.after(following - timedelta(microseconds=1)) == following
        due = following


NO_RULES = ["", "61 * * * *", "* * * *", "0 7 * * * *", "@daily", "now", "R * * * *"]


@pytest.mark.parametrize("text", NO_RULES)
def test_what_is_no_cron_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a cron rule"):
        Cron(text, BERLIN)


def test_after_a_standstill_every_missed_time_is_told() -> None:
    first = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
    missed = list(due_times(Every(10), first, first + timedelta(minutes=25)))
    assert missed == [first, first + timedelta(minutes=10), first + timedelta(minutes=20)]
    assert list(due_times(Every(10), first, first - timedelta(seconds=1))) == []
