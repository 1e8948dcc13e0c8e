"""Compares what the timeline says with what arrived. Pure: knows no Django and no engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime

Key = tuple[int, datetime, int]
"""Schedule, due time, recipient."""
FINAL = {"sent", "failed", "unknown"}


@dataclass(frozen=True)
class Line:
    """One delivery, as stored."""

    key: Key
    message_id: str
    state: str


@dataclass(frozen=True)
class Verdict:
    """Counts. Every one after ``failed`` must be 0."""

    mails: int
    sent: int
    unknown_and_arrived: int
    unknown_and_not: int
    failed: int
    twice: int
    """Mails of which the SMTP server took more than one copy."""
    sent_but_not_arrived: int
    failed_but_arrived: int
    forgotten: int
    """Due, but no delivery was ever queued."""
    queued_twice: int
    unfinished: int
    strangers: int
    """Arrived, but no delivery knows them."""

    @property
    def held(self) -> bool:
        names = [field.name for field in fields(self)]
        wrong = names[names.index("failed") + 1 :]
        return not any(getattr(self, name) for name in wrong)

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "held": self.held}


def judge(lines: Collection[Line], arrived: Iterable[str], expected: Collection[Key]) -> Verdict:
    """*arrived* are the Message-IDs that the SMTP server wrote down, *expected* what was due."""
    copies: Mapping[str, int] = Counter(arrived)
    keys = Counter(line.key for line in lines)
    known = {line.message_id for line in lines}

    def count(state: str, came: bool | None = None) -> int:
        return sum(
            line.state == state and came in (None, line.message_id in copies) for line in lines
        )

    return Verdict(
        mails=len(lines),
        sent=count("sent"),
        unknown_and_arrived=count("unknown", came=True),
        unknown_and_not=count("unknown", came=False),
        failed=count("failed"),
        twice=sum(number > 1 for number in copies.values()),
        sent_but_not_arrived=count("sent", came=False),
        failed_but_arrived=count("failed", came=True),
        forgotten=len(set(expected) - set(keys)),
        queued_twice=sum(number > 1 for number in keys.values()),
        unfinished=sum(line.state not in FINAL for line in lines),
        strangers=len(set(copies) - known),
    )
