"""All rules, and what they find, in order of harm.

A rule is one pure function in a module by subject; here they are put in order. To add one: write
it, add it to its module's ``RULES``, describe it in ``docs/doctor.md``, and test it.
"""

from __future__ import annotations

from django_lifeline.diagnosis.doctor.facts import Facts
from django_lifeline.diagnosis.doctor.finding import Finding, Rule
from django_lifeline.diagnosis.doctor.rules import (
    capacity,
    engine,
    lifetimes,
    network,
    packets,
    remedies,
    server,
    session,
    workers,
)
from django_lifeline.diagnosis.saying import Translate

RULES: tuple[Rule, ...] = (
    # Wrong answers and no connection at all first, then losses, then what only costs.
    server.unreachable,
    *workers.RULES,
    *capacity.RULES,
    *lifetimes.RULES,
    *packets.RULES,
    *session.RULES,
    *network.RULES,
    *(rule for rule in server.RULES if rule is not server.unreachable),
    *engine.RULES,
    *remedies.RULES,
)
"""Every rule once. Of findings that are equally grave, the one of the earlier rule comes first."""


def examine(facts: Facts, translate: Translate = str) -> list[Finding]:
    """Return all findings, gravest first, in the language of *translate*; English otherwise."""
    found = [finding for rule in RULES if (finding := rule(facts, translate)) is not None]
    # Sorting keeps the order of equals.
    return sorted(found, key=lambda finding: -finding.level)


def rule_named(word: str) -> Rule | None:
    """Return the rule written as ``lifeline.D101`` or ``d101``; None where it is none."""
    number = word.upper().removeprefix("LIFELINE.")
    return next((rule for rule in RULES if rule.number == number), None)
