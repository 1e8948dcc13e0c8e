"""Sentences that are put into the reader's language when they are shown."""

from __future__ import annotations

import gettext
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django_lifeline.diagnosis.text import N_

LANGUAGES = ("en", "zh-hans")
DOMAIN = "django_lifeline"
LOCALE = Path(__file__).parents[2] / "locale"

Translate = Callable[[str], str]

_DAY = 86400
_HOUR = 3600
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Said:
    """A text marked with ``N_()`` and the values that go into it, which may be `Said` too."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)

    def told(self, translate: Translate) -> str:
        """Return it in the language of *translate*."""
        values = {
            name: value.told(translate) if isinstance(value, Said) else value
            for name, value in self.values.items()
        }
        return translate(self.text).format(**values) if values else translate(self.text)


def say(text: str, **values: object) -> Said:
    """Return *text*, marked with ``N_()`` where it is written, with its values."""
    return Said(text, values)


def duration(seconds: float) -> Said:
    """Return a span of time in its two largest units."""
    whole = round(seconds)
    if whole < _MINUTE:
        return say(N_("{seconds} s"), seconds=f"{seconds:.3g}" if seconds < 10 else whole)
    if whole < _HOUR:
        return say(N_("{minutes} min {seconds} s"), minutes=whole // 60, seconds=whole % 60)
    if whole < 2 * _DAY:
        return say(N_("{hours} h {minutes} min"), hours=whole // _HOUR, minutes=whole % _HOUR // 60)
    return say(N_("{days} days {hours} h"), days=whole // _DAY, hours=whole % _DAY // _HOUR)


def translator(language: str) -> Translate:
    """Return the function that translates into *language*, one of `LANGUAGES`."""
    if language == "en":
        return str
    return gettext.translation(DOMAIN, LOCALE, languages=["zh_Hans"]).gettext


def preferred_language(environment: Mapping[str, str] = os.environ) -> str:
    """Return the language that the environment asks for, as gettext does; English otherwise."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        for wanted in environment.get(name, "").lower().replace("_", "-").split(":"):
            if wanted.startswith("zh"):
                return "zh-hans"
            if wanted:
                return "en"
    return "en"
