"""Puts the evidence of all rules together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from django_lifeline.diagnosis.causes import CAUSES, Cause
from django_lifeline.diagnosis.explain.facts import Facts
from django_lifeline.diagnosis.explain.rules import moments, numbers, places
from django_lifeline.diagnosis.explain.rules.evidence import DECIDES, Evidence, Rule
from django_lifeline.diagnosis.saying import Said

RULES: tuple[Rule, ...] = (*numbers.RULES, *places.RULES, *moments.RULES)

SHOWN = 4
"""Causes that are listed; more is no help."""

_CLEAR_LEAD = 45
_LEAD = 18
_RULED_OUT = -40
_OPEN_RANGE = 3


class Confidence(Enum):
    """How far the evidence decides."""

    CERTAIN = "certain"
    LIKELY = "likely"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A cause with what speaks for it and against it."""

    cause: Cause
    weight: int
    reasons: tuple[Said, ...]
    doubts: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The causes of a group, the likeliest first."""

    causes: tuple[Ranked, ...]
    ruled_out: tuple[Ranked, ...]
    confidence: Confidence

    @property
    def open_between(self) -> tuple[Ranked, ...]:
        """The causes among which the evidence does not decide; empty where it does."""
        if self.confidence is not Confidence.OPEN or not self.causes:
            return ()
        top = self.causes[0].weight
        return tuple(r for r in self.causes if r.weight * _OPEN_RANGE >= top)[:_OPEN_RANGE]


def verdict_on(facts: Facts) -> Verdict:
    """Weigh all evidence about *facts*. The same facts give the same verdict."""
    evidence = [item for rule in RULES for item in rule(facts)]
    ranked = [_sum(name, evidence) for name in dict.fromkeys(item.cause for item in evidence)]
    ranked.sort(key=lambda item: -item.weight)  # a stable sort: equals stay in the rules' order
    likely = tuple(item for item in ranked if item.weight > 0)
    ruled_out = tuple(item for item in ranked if item.weight <= _RULED_OUT and item.doubts)
    confidence = _confidence(likely)
    if likely and likely[0].weight >= DECIDES:
        likely = tuple(item for item in likely if item.weight * _OPEN_RANGE >= likely[0].weight)
    return Verdict(likely[:SHOWN], ruled_out, confidence)


def _sum(name: str, evidence: list[Evidence]) -> Ranked:
    own = [item for item in evidence if item.cause == name]
    return Ranked(
        CAUSES[name],
        sum(item.weight for item in own),
        tuple(item.reason for item in own if item.reason and item.weight > 0),
        tuple(item.reason for item in own if item.reason and item.weight < 0),
    )


def _confidence(likely: tuple[Ranked, ...]) -> Confidence:
    if not likely:
        return Confidence.OPEN
    lead = likely[0].weight - (likely[1].weight if len(likely) > 1 else 0)
    if likely[0].weight >= DECIDES - 20 and lead >= _CLEAR_LEAD:
        return Confidence.CERTAIN
    return Confidence.LIKELY if lead >= _LEAD else Confidence.OPEN
