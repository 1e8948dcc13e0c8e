"""Timestamps as logs write them."""

from __future__ import annotations

import re
from calendar import timegm
from functools import lru_cache

PATTERN = (
    r"(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d)\b)?"
    r"|(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?: \d{4})?"
    r"|\d\d/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d:\d\d(?: [+-]\d{4})?"
    r"|\d{6}  ?\d{1,2}:\d\d:\d\d)"
)
"""ISO and its relatives, syslog and ctime, web servers', and MySQL's old short one."""

_ISO = re.compile(
    r"(\d{4}).(\d\d).(\d\d).(\d\d):(\d\d):(\d\d)(?:[.,](\d+))? ?(Z|UTC|[+-]\d\d:?\d\d)?"
)
_WORDED = re.compile(r"([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d)(?: (\d{4}))?")
_WEB = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}).(\d\d):(\d\d):(\d\d)(?: ([+-]\d{4}))?")
_SHORT = re.compile(r"(\d\d)(\d\d)(\d\d) +(\d{1,2}):(\d\d):(\d\d)")
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_ANY_YEAR = 2000  # syslog names none; a leap year takes 29 February


def seconds_of(stamp: str) -> float | None:
    """Return a timestamp as seconds since 1970; without a zone it is taken as UTC.

    Only differences within one log are worked with, so a missing zone or year does no harm.
    ``None`` for what is no date.
    """
    try:
        return _iso(stamp) or _web(stamp) or _worded(stamp) or _short(stamp)
    except (ValueError, OverflowError):
        return None


def has_zone(stamp: str) -> bool:
    """Whether a timestamp says its zone, so that it can be compared with other clocks."""
    return re.search(r"(?:Z|UTC|[+-]\d\d:?\d\d)$", stamp) is not None


def _iso(stamp: str) -> float | None:
    found = _ISO.search(stamp)
    if not found:
        return None
    year, month, day, hour, minute, second, part, zone = found.groups()
    fraction = float(f"0.{part}") if part else 0.0
    whole = _day(int(year), int(month), int(day)) + _clock(hour, minute, second)
    return whole + fraction - _offset(zone)


def _web(stamp: str) -> float | None:
    found = _WEB.search(stamp)
    if not found:
        return None
    day, month, year, hour, minute, second, zone = found.groups()
    return _day(int(year), _month(month), int(day)) + _clock(hour, minute, second) - _offset(zone)


def _worded(stamp: str) -> float | None:
    found = _WORDED.search(stamp)
    if not found:
        return None
    month, day, hour, minute, second, year = found.groups()
    return _day(int(year or _ANY_YEAR), _month(month), int(day)) + _clock(hour, minute, second)


def _short(stamp: str) -> float | None:
    found = _SHORT.search(stamp)
    if not found:
        return None
    year, month, day, hour, minute, second = found.groups()
    return _day(2000 + int(year), int(month), int(day)) + _clock(hour, minute, second)


@lru_cache(maxsize=1024)
def _day(year: int, month: int, day: int) -> float:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        raise ValueError("no date")
    return float(timegm((year, month, day, 0, 0, 0)))


def _month(name: str) -> int:
    place = _MONTHS.find(name)
    if place < 0 or place % 3:
        raise ValueError("no month")
    return place // 3 + 1


def _clock(hour: str, minute: str, second: str) -> int:
    return int(hour) * 3600 + int(minute) * 60 + int(second)


def _offset(zone: str | None) -> int:
    if not zone or zone in ("Z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds
