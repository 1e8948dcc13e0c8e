"""What a rule finds, and what a rule is."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django_lifeline.diagnosis.doctor.facts import Facts
from django_lifeline.diagnosis.pages import address, in_language
from django_lifeline.diagnosis.saying import Joined, Sayable, Translate, say, tell
from django_lifeline.diagnosis.text import N_, text_lines

WIDTH = 92


class Level(enum.IntEnum):
    """How much it matters, in the numbers of Django's system checks."""

    INFO = 20
    """Good to know, or worth changing some day."""
    WARNING = 30
    """Will fail when something else happens too: a pause, a restart, more load."""
    ERROR = 40
    """Will fail in normal use."""
    CRITICAL = 50
    """Fails now."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule has to say about these facts. Never a secret, never a literal of SQL."""

    level: Level
    what: Sayable
    """What is so, in a sentence or two with the figures."""
    change: Sayable
    """The exact change: lines of settings or SQL, and `remark`, `noted` for prose between them."""
    numbers: Mapping[str, object] = field(default_factory=dict)
    """The figures by name, for programs."""


def remark(text: str, /, **values: object) -> Joined:
    """Return a line of prose for a change, which begins with ``#``."""
    return Joined(("# ", say(text, **values)))


def noted(code: str, text: str, /, **values: object) -> Joined:
    """Return a line to copy with a remark behind it."""
    return Joined((f"{code}  # ", say(text, **values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding about one database, ready to be shown in the language it was asked for."""

    id: str
    """Such as ``lifeline.D101``; SILENCED_SYSTEM_CHECKS takes it."""
    level: Level
    where: str
    title: str
    what: str
    why: str
    change: str
    numbers: Mapping[str, object]
    page: str
    """The address of what the docs say about it."""


Ask = Callable[[Facts], "Found | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One question about the facts; calling it answers."""

    number: str
    title: str
    """A headline; also the heading of its section in the docs, so plain words only."""
    why: str
    """Why it hurts, in one or two sentences."""
    ask: Ask
    as_check: bool = True
    """Whether it is a system check too; not where the answer is about the server's past."""

    @property
    def id(self) -> str:
        """The identifier of its findings."""
        return f"lifeline.{self.number}"

    @property
    def page(self) -> str:
        """Where the docs describe it."""
        if not self.number.startswith("D"):
            return address("checks", f"lifeline-{self.number.lower()}")
        return address("doctor", self.heading.lower().replace(" ", "-"))

    @property
    def heading(self) -> str:
        """Its heading in the docs."""
        return f"{self.number} {self.title}"

    def __call__(self, facts: Facts, translate: Translate = str) -> Finding | None:
        """Return the finding, or None where all is well or nothing is known."""
        found = self.ask(facts)
        if found is None:
            return None
        return Finding(
            id=self.id,
            level=found.level,
            where=translate(facts.settings.where),
            title=translate(self.title),
            what=tell(found.what, translate),
            why=translate(self.why),
            change=tell(found.change, translate),
            numbers=found.numbers,
            page=in_language(self.page, translate),
        )


def rule(number: str, title: str, why: str, *, as_check: bool = True) -> Callable[[Ask], Rule]:
    """Make a `Rule` of a function."""
    return lambda ask: Rule(number=number, title=title, why=why, ask=ask, as_check=as_check)


def rule_as_text(rule: Rule, translate: Translate = str) -> str:
    """Return what ``explain lifeline.D101`` prints."""
    told = rule_as_dict(rule, translate)
    lines = [f"{rule.id}  {told['title']}"]
    for text in (told["when"], told["why"]):
        lines += text_lines(text, WIDTH, "   ", "   ") if text else []
    lines.append(f"   {translate(_CHANGE)}: python -m django_lifeline doctor --settings MODULE")
    return "\n".join([*lines, f"   {told['docs']}"])


_CHANGE = N_("The change for a database of yours")


def rule_as_dict(rule: Rule, translate: Translate = str) -> dict[str, str]:
    """Return the same as plain values; when it speaks, only in English."""
    when = (rule.ask.__doc__ or "").strip() if translate is str else ""
    return {
        "id": rule.id,
        "title": translate(rule.title),
        "when": when,
        "why": translate(rule.why),
        "docs": in_language(rule.page, translate),
    }
