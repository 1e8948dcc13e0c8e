"""The page of results says what was counted."""

from __future__ import annotations

import json
from typing import Any

from lifeline_lab.incidents.causes import all_kinds
from lifeline_lab.incidents.kinds import NOTHING
from lifeline_lab.incidents.report import as_json, as_markdown, as_text, sentences
from lifeline_lab.incidents.runner import Result, read
from lifeline_lab.incidents.scoring import Score, Told
from lifeline_lab.incidents.setting import Setting

KINDS = all_kinds()


def result(number: int, kind: str, *causes: str, problem: str = "") -> Result:
    setting = Setting(
        seed=f"1-{number}",
        kind=kind,
        truth=KINDS[kind].truth,
        server="mysql",
        driver="pymysql",
        way="direct",
        work="read",
        tls=True,
        lane="thread",
        read_timeout=None,
        pooled=True,
    )
    return Result(setting, Told(causes=causes), ("ok",), problem=problem)


RESULTS = [
    result(1, "killed-while-idle", "killed"),
    result(2, "killed-while-idle", "network_cut", "killed"),
    result(3, "killed-while-idle", "idle_timeout"),
    result(4, "queue-full"),
    result(5, "wrong-sql"),
    result(6, "duplicate-key", "killed"),
    result(7, "server-full", problem="the server never became full"),
]


def test_sentences_count_losses_false_alarms_and_what_failed() -> None:
    assert sentences(RESULTS) == [
        "4 incidents: 1 named correctly, 1 left open with the cause among those named, 1 wrong, "
        "1 without a diagnosis.",
        "Where it was left open, it was between 2.0 causes on average, and in 0 of 1 cases the "
        "first named was the right one.",
        "2 errors and pauses that are no loss: 1 false alarms.",
        "1 incidents could not be brought about and are not counted.",
    ]


def test_page_has_the_matrix_and_lists_what_went_wrong() -> None:
    page = as_markdown(RESULTS, 1, {"mysql": "9.7"}, KINDS)
    lines = page.splitlines()
    assert "| done \\ named | idle_timeout | killed | undecided | nothing |" in lines
    assert "| killed | 1 | **1** | 1 |  |" in lines
    assert "| pool_exhausted |  |  |  | 1 |" in lines
    assert f"| {NOTHING} |  | 1 |  | **1** |" in lines
    assert "| killed | 1 | 1 | 1 | 0 | network_cut / killed (1) |" in lines
    wrong = [line for line in lines if line.startswith("- ")]
    assert [line.split()[1] for line in wrong] == [
        "killed-while-idle",
        "queue-full",
        "duplicate-key",
    ]
    assert page.count("# How well") == 1


def test_text_has_a_row_for_each_truth() -> None:
    rows = as_text(RESULTS).splitlines()
    assert rows[0].split() == ["killed", "killed", "1,", "undecided", "1,", "idle_timeout", "1"]


def test_json_holds_every_incident_and_can_be_read_again() -> None:
    told: dict[str, Any] = json.loads(as_json(RESULTS, 1, {}))
    assert [each["score"] for each in told["incidents"]] == [each.score.value for each in RESULTS]
    assert ["evidence" in each for each in told["incidents"]] == [
        each.score is not Score.CORRECT for each in RESULTS
    ]
    assert told["scores"] == {"correct": 2, "honest": 1, "wrong": 2, "silent": 1}


def test_line_of_a_cell_becomes_the_result_it_was() -> None:
    line = {
        **RESULTS[1].setting.as_json(),
        "told": {"causes": ["network_cut", "killed"]},
        "caller": ["ok"],
        "figures": {},
        "problem": "",
    }
    assert read(line) == RESULTS[1]
    assert read(line).score is Score.HONEST
