"""Histories: reading them, and joining starts with ends."""

from __future__ import annotations

import json

from lifeline_lab.history import Event, code_of, codes, pair, parse


def line(t: float, event: str, op: str = "", lane: str = "1 main", **facts: object) -> str:
    return json.dumps({"t": t, "event": event, "op": op, "lane": lane, **facts})


def test_lines_of_several_processes_come_in_order_of_time() -> None:
    assert [event.event for event in parse([line(2, "done"), line(1, "ready")])] == [
        "ready",
        "done",
    ]


def test_line_cut_short_by_a_dying_process_is_left_out() -> None:
    assert parse([line(1, "ready"), '{"t": 2, "eve']) == [Event(1, "ready", lane="1 main")]


def test_start_is_joined_with_the_end_in_its_own_lane() -> None:
    events = parse(
        [
            line(1, "start", "save", "1 a"),
            line(2, "start", "save", "1 b"),
            line(3, "ok", "save", "1 a"),
            line(5, "fail", "save", "1 b"),
        ]
    )

    assert [(call.lane, call.seconds) for call in pair(events)] == [("1 a", 2), ("1 b", 3)]


def test_call_that_never_ended_has_no_duration() -> None:
    (call,) = pair(parse([line(1, "start", "save")]))

    assert call.end is None
    assert call.seconds is None


def test_error_without_a_number_is_named_by_its_class() -> None:
    assert code_of(Event(0, "fail", facts={"error": "TimeoutError", "code": None})) == (
        "TimeoutError"
    )


def test_codes_are_distinct_and_only_of_failures() -> None:
    gone = Event(0, "fail", facts={"code": 2006})

    assert codes([gone, gone, Event(0, "ok"), Event(0, "logged", facts={"code": 500})]) == [
        "2006",
        "500",
    ]
