"""Sentences that are put into the reader's language when they are shown."""

from __future__ import annotations

import gettext
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django_lifeline.diagnosis.text import N_

LANGUAGES = ("en", "zh-hans")
DOMAIN = "django_lifeline"
LOCALE = Path(__file__).parents[1] / "locale"

Translate = Callable[[str], str]

_NAMES = {"en": "en", **dict.fromkeys(("zh", "zh-cn", "zh-hans", "zh-hans-cn"), "zh-hans")}

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
        text = translate(self.text) if self.text else ""
        values = {
            name: value.told(translate) if isinstance(value, Said | Joined) else value
            for name, value in self.values.items()
        }
        return text.format(**values) if values else text


@dataclass(frozen=True, slots=True)
class Joined:
    """Several of them in a row; plain texts among them, such as code, stay as they are."""

    parts: tuple[Said | Joined | str, ...]
    between: str = ""
    """What stands between two; translated too, since Chinese lists have commas of their own."""

    def told(self, translate: Translate) -> str:
        """Return it in the language of *translate*."""
        between = translate(self.between) if self.between else ""
        return between.join(tell(part, translate) for part in self.parts)


Sayable = Said | Joined | str
"""What can be told in a language; a plain text is the same in each."""


def tell(what: Sayable, translate: Translate) -> str:
    """Return *what* in the language of *translate*."""
    return what if isinstance(what, str) else what.told(translate)


def listed(parts: Iterable[Sayable]) -> Joined:
    """Return *parts* with commas between."""
    return Joined(tuple(parts), N_(", "))


def sentences(parts: Iterable[Sayable]) -> Joined:
    """Return *parts* with semicolons between."""
    return Joined(tuple(parts), N_("; "))


def lines(*parts: Sayable) -> Joined:
    """Return *parts*, each on a line of its own."""
    return Joined(parts, "\n")


def say(text: str, /, **values: object) -> Said:
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


def language(name: str) -> str:
    """Return the one of `LANGUAGES` that *name* means: also ``zh``, ``zh-cn`` and ``zh_CN``."""
    known = _NAMES.get(name.lower().replace("_", "-"))
    if known is None:
        raise ValueError(f"lang must be one of {', '.join(LANGUAGES)} (or zh), not {name!r}")
    return known


def preferred_language(environment: Mapping[str, str] = os.environ) -> str:
    """Return the language that the environment asks for, as gettext does; English otherwise."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        for wanted in environment.get(name, "").lower().replace("_", "-").split(":"):
            if wanted.startswith("zh"):
                return "zh-hans"
            if wanted:
                return "en"
    return "en"
