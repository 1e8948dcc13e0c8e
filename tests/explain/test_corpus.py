"""Logs written for the purpose, each with what is to be found in it beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from django_lifeline.diagnosis.explain import explain

CORPUS = Path(__file__).parent / "corpus"
LOGS = sorted(CORPUS.glob("*.log"), key=lambda path: path.name)


def expected_of(log: Path) -> dict[str, Any]:
    text: dict[str, Any] = json.loads(log.with_suffix(".expected.json").read_text())
    return text


def seen_of(group: dict[str, Any]) -> dict[str, Any]:
    """A group's plain values under the corpus's names."""
    causes = [cause["cause"] for cause in group["causes"]]
    return group | {
        "cause": causes[0] if causes else "",
        "first_query": group["first_query_of_request"],
        "ruled_out": [cause["cause"] for cause in group["ruled_out"]],
    }


def test_corpus_is_large_enough_and_whole() -> None:
    assert len(LOGS) >= 32
    assert {log.with_suffix(".expected.json") for log in LOGS} == set(CORPUS.glob("*.json"))


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_each_log_is_explained_as_expected(log: Path) -> None:
    expected = expected_of(log)
    explanation = explain(log.read_text())
    told = json.loads(json.dumps(explanation.as_dict()))
    seen = [seen_of(group) for group in told["groups"]]
    assert [group["code"] for group in seen] == [group["code"] for group in expected["groups"]]
    for group, wanted in zip(seen, expected["groups"], strict=True):
        wanted.pop("truth", "")  # where the evidence does not decide for it
        for text in wanted.pop("says", ()):
            assert text in str(explanation)
        for name, value in wanted.pop("variables", {}).items():
            assert group["variables"][name] == value
        assert {name: group[name] for name in wanted} == wanted
    assert told["server_log"] == expected.get("server_log", {})
