"""JSON in logs: one record a line, or one document over many."""

from __future__ import annotations

import json

import pytest

from django_lifeline.diagnosis.explain import explain, records

TRACE = (
    "Traceback (most recent call last):\n"
    '  File "/srv/a.py", line 1, in f\n'
    "django.db.utils.OperationalError: (2006, 'Server has gone away')"
)


def documents(text: str) -> list[tuple[int, str]]:
    return list(records.documents(text.splitlines()))


def test_document_over_many_lines_is_one_at_the_place_of_its_first() -> None:
    assert documents('a\n{\n "x": 1\n}\nb') == [(1, "a"), (2, '{"x": 1}'), (5, "b")]


def test_list_of_records_is_taken_apart() -> None:
    assert documents('[\n {"x": 1},\n {"x": 2}\n]') == [(1, '{"x": 1}'), (1, '{"x": 2}')]


@pytest.mark.parametrize("text", ["{\n a\n}\nb", "{\n x", "[\n"])
def test_what_only_looks_like_a_document_stays_as_it_is(text: str) -> None:
    assert documents(text) == list(enumerate(text.splitlines(), start=1))


def test_document_without_an_end_is_held_in_bounded_memory() -> None:
    lines = ["{", *["x"] * (records.LONGEST_DOCUMENT + 5)]
    assert len(list(records.documents(lines))) == len(lines)


@pytest.mark.parametrize(
    "record",
    [
        {"message": "failed", "exc_info": TRACE},
        {"message": "failed\n" + TRACE},
        {"textPayload": TRACE},
        {"jsonPayload": {"message": "failed\n" + TRACE}},
        {"body": "failed", "attributes": {"exception.stacktrace": TRACE}},
        {"message": "failed", "error": {"stack_trace": TRACE}},
        {
            "event": "failed",
            "error_detail": [
                {
                    "exc_type": "OperationalError",
                    "exc_value": "(2006, 'Server has gone away')",
                    "frames": [{"filename": "/srv/a.py", "lineno": 1, "name": "f"}],
                }
            ],
        },
        {
            "exception": {
                "values": [
                    {
                        "type": "OperationalError",
                        "value": "(2006, 'Server has gone away')",
                        "module": "MySQLdb",
                        "stacktrace": {
                            "frames": [{"filename": "/srv/a.py", "function": "f", "lineno": 1}]
                        },
                    }
                ]
            }
        },
    ],
    ids=lambda record: next(reversed(record)),
)
def test_traceback_is_found_where_each_service_keeps_it(record: dict[str, object]) -> None:
    [finding] = explain(json.dumps(record)).findings
    assert (finding.facts.code, finding.group.place.code) == (2006, "srv/a.py in f")
    [again] = explain(json.dumps(record, indent=1)).findings
    assert again.facts == finding.facts


def test_traceback_that_journald_delivers_line_by_line_is_one() -> None:
    lines = [
        json.dumps({"MESSAGE": line, "__REALTIME_TIMESTAMP": "1780000000000000", "_PID": "7"})
        for line in TRACE.splitlines()
    ]
    [finding] = explain("\n".join(lines)).findings
    assert finding.group.place.code == "srv/a.py in f"
    assert finding.group.first.time == 1780000000.0
