"""What is said about one loss."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.causes import CAUSES, Cause
from django_lifeline.diagnosis.pages import address

UNKNOWN = "unknown"
"""The cause's name where nothing in the catalogue fits."""


class Confidence(enum.Enum):
    """How far the evidence decides the cause."""

    CERTAIN = "certain"
    """The server, the kernel or the program said so."""
    LIKELY = "likely"
    """It fits, and nothing else that is common does."""
    UNDECIDED = "undecided"
    """It fits, and so do the alternatives."""


class Done(enum.Enum):
    """What the engine did about a loss."""

    REPLACED = "replaced"
    """Nothing had been sent: the statement ran on another connection."""
    REPEATED = "repeated"
    """What was lost could be run again, and was."""
    DISCARDED = "discarded"
    """Nobody was using the connection: it was closed, and another is lent instead."""
    RAISED = "raised"
    """The caller got an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Why something was lost, on what evidence, and what to do about it."""

    cause: str
    """A name of the catalogue, such as ``idle_timeout``, or ``unknown``."""
    confidence: Confidence = Confidence.UNDECIDED
    alternatives: tuple[str, ...] = ()
    """Other causes that the evidence leaves open, the likelier first."""
    because: str = ""
    """What of the evidence speaks for the cause, in one sentence."""
    label: Label
    """What became of the statement or transaction."""
    done: Done = Done.RAISED
    advice: str
    """The next step for the work that was lost, one or two sentences."""
    evidence: Mapping[str, object] = field(default_factory=dict)
    """The facts, by name: numbers and short words, never a password or a parameter's value."""

    @property
    def title(self) -> str:
        """The cause as a headline."""
        return _titles((self.cause,))[0]

    @property
    def meaning(self) -> str:
        """What the cause means; empty where it is unknown."""
        return _told_of(self.cause, "meaning")

    @property
    def fix(self) -> str:
        """What to change so that it does not happen again; empty where the cause is unknown."""
        return _told_of(self.cause, "fix")

    @property
    def settle(self) -> str:
        """What would decide between the cause and its alternatives; empty where it is decided."""
        if self.confidence is Confidence.CERTAIN:
            return ""
        open_ones = (self.cause, *self.alternatives)
        return " ".join(filter(None, (_told_of(name, "settle") for name in open_ones)))

    @property
    def page(self) -> str:
        """The address of the page about the cause."""
        return _told_of(self.cause, "page") or address("errors")

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON, logs and pages."""
        return {
            "cause": self.cause,
            "title": self.title,
            "confidence": self.confidence.value,
            "alternatives": list(self.alternatives),
            "because": self.because,
            "label": self.label.value,
            "done": self.done.value,
            "advice": self.advice,
            "meaning": self.meaning,
            "fix": self.fix,
            "settle": self.settle,
            "evidence": dict(self.evidence),
            "page": self.page,
        }

    def as_json(self) -> str:
        """Return `as_dict` as JSON."""
        return json.dumps(self.as_dict(), default=str)

    def note(self) -> str:
        """Return several lines for people: an exception's note (PEP 678)."""
        lines = [
            f"Cause: {self._named()}",
            f"Because: {self.because}" if self.because else "",
            f"The work: {self.advice} ({self.label.value})",
            f"To change: {self.fix}" if self.fix else "",
            f"To settle it: {self.settle}" if self.settle else "",
            f"Evidence: {self._figures()}" if self.evidence else "",
            f"More: python -m django_lifeline explain {self.cause}" if self.meaning else "",
            f"      {self.page}" if self.meaning else f"More: {self.page}",
        ]
        return "\n".join(filter(None, lines))

    def __str__(self) -> str:
        """Return one line for logs and messages."""
        names = f"{self.cause}, {self.confidence.value}{self._or()}; {self.label.value}"
        head = f"{self.title} ({names})"
        return " ".join(
            filter(None, (f"{head}: {self.because}" if self.because else f"{head}.", self.advice))
        )

    def _named(self) -> str:
        named = f"{self.title} ({self.cause}, {self.confidence.value})"
        if not self.alternatives:
            return named
        return f"{named}; or: {'; '.join(_titles(self.alternatives))}"

    def _or(self) -> str:
        return f", or {' or '.join(self.alternatives)}" if self.alternatives else ""

    def _figures(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.evidence.items())


def _titles(names: tuple[str, ...]) -> list[str]:
    return [_told_of(name, "title") or "No known cause fits" for name in names]


def _told_of(name: str, what: str) -> str:
    cause: Cause | None = CAUSES.get(name)
    return "" if cause is None else str(getattr(cause, what))
