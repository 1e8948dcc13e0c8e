"""What a rule says for or against a cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django_lifeline.diagnosis.explain.facts import Facts
from django_lifeline.diagnosis.saying import Said

DECIDES = 100
"""The weight of evidence that needs no other."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for a cause, or against it where the weight is negative."""

    cause: str
    """A name in `django_lifeline.diagnosis.causes.CAUSES`."""
    weight: int
    reason: Said | None = None
    """``None`` for what is only a habit of the error's number."""


Rule = Callable[[Facts], Iterator[Evidence]]
