"""Logs written for the purpose, each with what is to be found in it beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.explain import measure
from tests.explain.measure import CORPUS, HELD_OUT, OTHERS, expected_of, logs_of

from django_lifeline.diagnosis.explain import explain

LOGS = logs_of(CORPUS)
RESULTS = Path(__file__).parents[2] / "docs" / "results" / "explain.md"


def seen_of(group: dict[str, Any]) -> dict[str, Any]:
    """A group's plain values under the corpus's names."""
    causes = [cause["cause"] for cause in group["causes"]]
    return group | {
        "cause": causes[0] if causes else "",
        "first_query": group["first_query_of_request"],
        "ruled_out": [cause["cause"] for cause in group["ruled_out"]],
    }


@pytest.mark.parametrize(("folder", "least"), [(CORPUS, 100), (HELD_OUT, 20)])
def test_corpus_is_large_enough_and_whole(folder: Path, least: int) -> None:
    logs = logs_of(folder)
    assert len(logs) >= least
    assert {log.with_suffix(".expected.json") for log in logs} == set(folder.glob("*.json"))


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_each_log_is_explained_as_expected(log: Path) -> None:
    expected = expected_of(log)
    told = explain(log.read_text()).as_dict()
    seen = [seen_of(group) for group in measure.groups_of(log)]
    assert [group["code"] for group in seen] == [group["code"] for group in expected["groups"]]
    for group, wanted in zip(seen, expected["groups"], strict=True):
        wanted.pop("truth", "")  # where the evidence does not decide for it
        for text in wanted.pop("says", ()):
            assert text in str(explain(log.read_text()))
        for name, value in wanted.pop("variables", {}).items():
            assert group["variables"][name] == value
        assert {name: group[name] for name in wanted} == wanted
    assert told["server_log"] == expected.get("server_log", {})


def test_logs_of_other_errors_raise_no_alarm() -> None:
    assert len(logs_of(OTHERS)) >= 100
    assert measure.false_alarms() == []


def test_result_in_the_docs_is_what_is_measured() -> None:
    """All but the day, and the versions that it was measured with then."""
    told, measured = RESULTS.read_text(), measure.page()
    assert without_last_run(told) == without_last_run(measured)


def without_last_run(page: str) -> list[str]:
    return [line for line in page.splitlines() if not line.startswith("Last run: ")]
