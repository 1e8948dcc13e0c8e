"""What a rule finds, and what a rule is."""

from __future__ import annotations

import enum
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django_lifeline.diagnosis.doctor.facts import Facts
from django_lifeline.diagnosis.pages import address


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
    what: str
    """What is so, in a sentence or two with the figures."""
    change: str
    """The exact change: lines of settings or SQL; a line of prose begins with ``#``."""
    numbers: Mapping[str, object] = field(default_factory=dict)
    """The figures by name, for programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding about one database, ready to be shown."""

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

    def __call__(self, facts: Facts) -> Finding | None:
        """Return the finding, or None where all is well or nothing is known."""
        found = self.ask(facts)
        if found is None:
            return None
        return Finding(
            id=self.id,
            level=found.level,
            where=facts.settings.where,
            title=self.title,
            what=found.what,
            why=self.why,
            change=found.change,
            numbers=found.numbers,
            page=self.page,
        )


def rule(number: str, title: str, why: str, *, as_check: bool = True) -> Callable[[Ask], Rule]:
    """Make a `Rule` of a function."""
    return lambda ask: Rule(number=number, title=title, why=why, ask=ask, as_check=as_check)


def rule_as_text(rule: Rule) -> str:
    """Return what ``explain lifeline.D101`` prints."""
    told = rule_as_dict(rule)
    lines = [f"{rule.id}  {rule.title}"]
    for text in (told["when"], told["why"]):
        lines += textwrap.wrap(text, 92, initial_indent="   ", subsequent_indent="   ")
    lines.append("   The change for a database of yours: python -m django_lifeline doctor")
    return "\n".join([*lines, f"   {rule.page}"])


def rule_as_dict(rule: Rule) -> dict[str, str]:
    """Return the same as plain values."""
    when = (rule.ask.__doc__ or "").strip()
    return {"id": rule.id, "title": rule.title, "when": when, "why": rule.why, "docs": rule.page}
