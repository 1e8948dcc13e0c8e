"""What is said about one loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django_lifeline.core.retry import Label


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why something was lost, on what evidence, and what to do about it."""

    cause: str
    """A short name, such as ``idle_timeout``; ``unknown`` where the evidence does not decide."""
    label: Label
    """What became of the statement or transaction."""
    advice: str
    """The next step, one or two sentences."""
    evidence: Mapping[str, object] = field(default_factory=dict)
    """The facts, by name. Never a password, never a parameter's value."""

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value}" for name, value in self.evidence.items())
        return f"{self.cause} ({self.label.value}; {facts}). {self.advice}"
