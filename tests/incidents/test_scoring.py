"""What counts as correct, honest, wrong and silent."""

from __future__ import annotations

import pytest

from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.model import Confidence, Diagnosis
from lifeline_lab.incidents.kinds import NOTHING
from lifeline_lab.incidents.reading import read_diagnosis
from lifeline_lab.incidents.scoring import (
    SILENT,
    UNDECIDED,
    Score,
    Told,
    matrix,
    score,
)


@pytest.mark.parametrize(
    ("causes", "wanted"),
    [
        (("killed",), Score.CORRECT),
        (("killed", "network_cut"), Score.HONEST),
        (("network_cut", "killed"), Score.HONEST),
        (("network_cut",), Score.WRONG),
        (("network_cut", "idle_timeout"), Score.WRONG),
        ((), Score.SILENT),
    ],
)
def test_diagnosis_of_a_kill_is_scored_by_what_it_names(
    causes: tuple[str, ...], wanted: Score
) -> None:
    assert score("killed", Told(causes=causes)) is wanted


def test_any_cause_named_for_a_harmless_error_is_a_false_alarm() -> None:
    assert score(NOTHING, Told(causes=("killed",))) is Score.WRONG
    assert score(NOTHING, Told()) is Score.CORRECT


@pytest.mark.parametrize(
    ("causes", "column"),
    [((), SILENT), (("killed",), "killed"), (("killed", "half_open"), UNDECIDED)],
)
def test_column_of_the_matrix_is_the_one_cause_named(causes: tuple[str, ...], column: str) -> None:
    assert Told(causes=causes).column == column


def test_matrix_counts_by_truth_and_column() -> None:
    rows = matrix([("killed", "killed"), ("killed", UNDECIDED), ("killed", "killed")])
    assert rows == {"killed": {"killed": 2, UNDECIDED: 1}}


def diagnosis(confidence: Confidence, cause: str = "killed") -> Diagnosis:
    return Diagnosis(
        cause=cause,
        confidence=confidence,
        alternatives=("network_cut",),
        label=Label.NOT_EXECUTED,
        advice="",
    )


def test_alternatives_count_only_where_the_diagnosis_is_undecided() -> None:
    assert read_diagnosis(diagnosis(Confidence.UNDECIDED), "error").causes == (
        "killed",
        "network_cut",
    )
    assert read_diagnosis(diagnosis(Confidence.LIKELY), "error").causes == ("killed",)


def test_unknown_is_no_cause() -> None:
    told = read_diagnosis(diagnosis(Confidence.LIKELY, "unknown"), "error")
    assert score("killed", told) is Score.SILENT
