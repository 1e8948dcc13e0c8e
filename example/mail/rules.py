"""When a schedule is due: pure rules, from one moment to the next.

All moments are aware and come back in UTC. Days and clock times are those of the schedule's zone,
so "daily at 07:00" stays at seven when summer time begins or ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BY_CHANCE = re.compile(r"\b[RH]\b", re.IGNORECASE)
"""croniter's random fields: another time at every look, so planning again would send again."""


class Rule(Protocol):
    def after(self, moment: datetime) -> datetime:
        """The first due time later than *moment*."""


@dataclass(frozen=True)
class Daily:
    """Once on every day. A time that the day does not have (a spring night) is an hour later;
    of a time that it has twice (an autumn night) the first one counts."""

    at: time
    zone: ZoneInfo

    def after(self, moment: datetime) -> datetime:
        day = moment.astimezone(self.zone).date()
        while True:
            due = datetime.combine(day, self.at, self.zone).astimezone(UTC)
            if due > moment:
                return due
            day += timedelta(days=1)


@dataclass(frozen=True)
class Every:
    """Every so many minutes, counted from the full hour where an hour can be divided so."""

    minutes: int

    def after(self, moment: datetime) -> datetime:
        step = timedelta(minutes=self.minutes)
        return EPOCH + ((moment - EPOCH) // step + 1) * step


@dataclass(frozen=True)
class Cron:
    """Five fields, by the wall clock: an hour that an autumn night has twice counts twice, and
    what falls into the one that a spring night has not is due once, at its end."""

    expression: str
    zone: ZoneInfo

    def __post_init__(self) -> None:
        fine = len(self.expression.split()) == 5 and croniter.is_valid(self.expression)
        if not fine or BY_CHANCE.search(self.expression):
            raise ValueError(f"{self.expression!r} is not a cron rule such as '0 7 * * 1-5'.")

    def after(self, moment: datetime) -> datetime:
        try:
            found = croniter(self.expression, moment.astimezone(self.zone)).get_next(datetime)
        except CroniterBadDateError:
            raise ValueError(f"{self.expression!r} never comes.") from None
        return found.astimezone(UTC)


def due_times(rule: Rule, first: datetime, now: datetime) -> Iterator[datetime]:
    """*first* and what follows it, up to *now*."""
    due = first
    while due <= now:
        yield due
        due = rule.after(due)
