"""From the facts of a loss to its name, advice and evidence."""

from __future__ import annotations

import dataclasses

import pytest

from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.loss import LossFacts, diagnose

FACTS = LossFacts(label=Label.NOT_EXECUTED, phase="before", idle=5.0, wait_timeout=28800.0)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({}, "closed_while_idle"),
        ({"code": 4031, "idle": 1.0}, "idle_timeout"),
        ({"idle": 28800.0}, "idle_timeout"),
        ({"idle": 28799.6}, "idle_timeout"),
        ({"idle": 28799.0}, "closed_while_idle"),
        ({"idle": 28800.0, "wait_timeout": None}, "closed_while_idle"),
        # Whoever waited that long *in* a statement was not idle.
        ({"idle": 28800.0, "phase": "in flight"}, "lost_in_flight"),
        ({"phase": "in flight", "code": 2013}, "lost_in_flight"),
        ({"phase": "commit", "code": 2013}, "lost_in_flight"),
        ({"forked": True, "code": 4031}, "forked"),
        ({"interrupted_by": "KeyboardInterrupt", "phase": "in flight"}, "interrupted"),
    ],
)
def test_facts_decide_the_cause(changes: dict[str, object], cause: str) -> None:
    assert diagnose(dataclasses.replace(FACTS, **changes)).cause == cause  # type: ignore[arg-type]


@pytest.mark.parametrize("label", Label)
def test_each_label_comes_with_its_own_advice(label: Label) -> None:
    diagnosis = diagnose(dataclasses.replace(FACTS, label=label))
    assert diagnosis.label is label
    others = [other for other in Label if other is not label]
    for other in others:
        assert diagnose(dataclasses.replace(FACTS, label=other)).advice != diagnosis.advice


def test_advice_after_lost_session_state_is_to_set_it_up_again() -> None:
    advice = diagnose(dataclasses.replace(FACTS, state_lost="SET")).advice
    assert "Set up what its session held" in advice
    assert "safe" not in advice


def test_evidence_names_what_is_known_and_leaves_out_what_is_not() -> None:
    evidence = diagnose(FACTS).evidence
    assert evidence["phase"] == "before"
    assert evidence["idle_seconds"] == 5.0
    assert "code" not in evidence
    assert "interrupted_by" not in evidence
    evidence = diagnose(dataclasses.replace(FACTS, code=2013, statement="INSERT")).evidence
    assert (evidence["code"], evidence["statement"]) == (2013, "INSERT")


def test_text_has_cause_label_evidence_and_advice() -> None:
    text = str(diagnose(FACTS))
    assert text.startswith("closed_while_idle (not_executed; phase=before, idle_seconds=5.0")
    assert text.endswith("it is safe to run it again.")
