"""Reads a diagnosis into what is scored: the only place that knows how it is built."""

from __future__ import annotations

from django_lifeline.diagnosis.model import UNKNOWN, Confidence, Diagnosis
from lifeline_lab.incidents.scoring import Told


def read_diagnosis(diagnosis: Diagnosis, through: str) -> Told:
    """Return what a diagnosis names: one cause, or those that it is undecided between."""
    named: tuple[str, ...] = (diagnosis.cause,)
    if diagnosis.confidence is Confidence.UNDECIDED:
        named += diagnosis.alternatives
    return Told(
        causes=tuple(dict.fromkeys(name for name in named if name != UNKNOWN)),
        confidence=diagnosis.confidence.value,
        label=diagnosis.label.value,
        evidence=dict(diagnosis.evidence),
        because=diagnosis.because,
        through=through,
    )
