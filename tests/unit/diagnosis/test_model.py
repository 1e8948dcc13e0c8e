"""What a diagnosis says, in one line, in several, and as plain values."""

from __future__ import annotations

import json
import re
from pathlib import Path

from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.causes import CAUSES
from django_lifeline.diagnosis.model import UNKNOWN, Confidence, Diagnosis
from django_lifeline.diagnosis.pages import address

DECIDED = Diagnosis(
    cause="idle_timeout",
    confidence=Confidence.CERTAIN,
    because="idle for 31.0 s.",
    label=Label.ROLLED_BACK,
    advice="Run the whole block again.",
    evidence={"idle_seconds": 31.0, "wait_timeout": 30},
)
OPEN = Diagnosis(
    cause="network_cut",
    alternatives=("killed",),
    label=Label.NOT_EXECUTED,
    advice="It is safe to run it again.",
)
UNNAMED = Diagnosis(cause=UNKNOWN, label=Label.UNKNOWN_EFFECT, advice="Look.")


def test_line_has_cause_confidence_label_reason_and_advice() -> None:
    assert str(DECIDED) == (
        "The server ended an idle session (idle_timeout, certain; rolled_back): idle for 31.0 s. "
        "Run the whole block again."
    )


def test_line_of_an_open_case_names_the_alternatives() -> None:
    assert str(OPEN) == (
        "Something between client and server cut the connection (network_cut, undecided, "
        "or killed; not_executed). It is safe to run it again."
    )


def test_note_says_everything_a_person_needs() -> None:
    note = DECIDED.note()
    cause = CAUSES["idle_timeout"]
    for part in (cause.title, "idle for 31.0 s", "rolled_back", cause.fix, "idle_seconds=31.0"):
        assert part in note
    assert "More: python -m django_lifeline explain idle_timeout\n" in note
    assert note.endswith(address("causes/idle-timeout"))
    assert "To settle it" not in note


def test_note_of_an_open_case_says_what_would_decide_it() -> None:
    note = OPEN.note()
    assert CAUSES["killed"].title in note
    assert CAUSES["network_cut"].settle in note and CAUSES["killed"].settle in note


def test_unknown_cause_leads_to_the_page_about_errors() -> None:
    assert UNNAMED.page == address("errors")
    assert (UNNAMED.fix, UNNAMED.meaning, UNNAMED.settle) == ("", "", "")
    assert "No known cause fits" in UNNAMED.note()


def test_json_has_plain_values() -> None:
    values = json.loads(DECIDED.as_json())
    assert values["cause"] == "idle_timeout"
    assert (values["confidence"], values["label"], values["done"]) == (
        "certain",
        "rolled_back",
        "raised",
    )
    assert values["evidence"] == {"idle_seconds": 31.0, "wait_timeout": 30}
    assert json.loads(OPEN.as_json())["alternatives"] == ["killed"]


def test_every_field_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "errors.md").read_text()
    rows = re.findall(
        r"^\| (`[a-z`, ]+`) \| ", page.partition("## ConnectionLost")[0], re.MULTILINE
    )
    named = {name for row in rows for name in re.findall(r"`([a-z]+)`", row)}
    assert set(DECIDED.as_dict()) <= named
