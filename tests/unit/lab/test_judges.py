"""Judges: what happened and what is stored, turned into a verdict."""

from __future__ import annotations

from typing import Any

import pytest

from lifeline_lab.history import Event, Outcome
from lifeline_lab.judges import (
    Check,
    Complaint,
    Kind,
    answers_right,
    every,
    failed_as,
    judge,
    nothing_failed,
    sessions_at_most,
    stored,
    stored_at_most_once,
    within,
    worked,
)


def happened(*events: Event, **more: Any) -> Outcome:
    return Outcome(events, **more)


def event(name: str, op: str = "", t: float = 0.0, lane: str = "1 main", **facts: object) -> Event:
    return Event(t, name, op, lane, facts)


def failure(op: str, code: int | None = 2006, **facts: object) -> Event:
    return event("fail", op, error="OperationalError", code=code, text="gone", **facts)


READY, DONE = event("ready"), event("done")
FINE: Check = every()


def test_program_that_reached_its_end_without_complaint_survived() -> None:
    assert judge(FINE, happened(READY, DONE)).kind is Kind.SURVIVED


def test_program_that_never_got_ready_is_broken_itself() -> None:
    verdict = judge(FINE, happened(exit_status=1, stderr="Traceback\nSyntaxError: bad"))

    assert verdict.kind is Kind.PROGRAM_BROKEN
    assert "SyntaxError" in verdict.why


def test_program_that_hangs_in_its_set_up_is_broken_itself() -> None:
    assert judge(FINE, happened(exit_status=None)).kind is Kind.PROGRAM_BROKEN


def test_program_with_a_mistake_is_broken_itself_even_if_it_ends_well() -> None:
    mistake = event("fail", "work", error="NameError", code=None, text="x", bug=True)

    assert judge(FINE, happened(READY, mistake, DONE)).kind is Kind.PROGRAM_BROKEN


@pytest.mark.parametrize("status", [0, 1])
def test_program_that_ended_before_its_end_is_broken_itself(status: int) -> None:
    assert judge(FINE, happened(READY, exit_status=status)).kind is Kind.PROGRAM_BROKEN


def test_program_that_hangs_after_it_was_ready_is_broken_by_its_database() -> None:
    verdict = judge(FINE, happened(READY, event("start", "save"), exit_status=None))

    assert (verdict.kind, verdict.label) == (Kind.BROKEN, "hangs")
    assert "save" in verdict.why


def test_process_that_a_signal_ended_is_broken() -> None:
    verdict = judge(FINE, happened(READY, exit_status=-11))

    assert (verdict.kind, verdict.label) == (Kind.BROKEN, "signal 11")


def test_complaint_becomes_the_label_and_the_reason() -> None:
    verdict = judge(lambda outcome: Complaint("2006", "gone"), happened(READY, DONE))

    assert (verdict.kind, verdict.label, verdict.why) == (Kind.BROKEN, "2006", "gone")


def test_first_complaint_of_several_counts() -> None:
    first, second = Complaint("1", "first"), Complaint("2", "second")

    assert every(lambda o: None, lambda o: first, lambda o: second)(happened()) == first


def test_failures_are_labelled_by_their_distinct_numbers_in_order() -> None:
    closed = event("fail", "save", error="InterfaceError", code=0, text="(0, '')")
    found = nothing_failed()(happened(failure("read", 2013), closed, failure("read", 2013)))

    assert found is not None
    assert found.label == "2013, (0, '')"
    assert "'read'" in found.why and "2 more" in found.why


def test_page_error_in_a_sites_log_is_a_failure() -> None:
    logged = event("logged", "Internal Server Error", error="OperationalError", code=2006)

    assert nothing_failed()(happened(logged)) is not None


def test_failure_that_must_happen_is_excused() -> None:
    assert nothing_failed(save=["store"])(happened(failure("store"))) is None


def test_operation_that_worked_too_seldom_is_a_complaint() -> None:
    assert worked("save", 2)(happened(event("ok", "save"), event("ok", "save"))) is None
    assert worked("save", 2)(happened(event("ok", "save"), failure("save"))) is not None


def attempted(op: str, end: Event, seconds: float = 0.0) -> tuple[Event, Event]:
    return event("start", op), Event(seconds, end.event, end.op, end.lane, end.facts)


def test_error_of_another_class_than_wanted_is_a_complaint() -> None:
    plain = failure("commit", 2013, kinds=["OperationalError"])
    unknown = failure("commit", 2013, kinds=["CommitOutcomeUnknown", "OperationalError"])
    check = failed_as("commit", "CommitOutcomeUnknown")

    assert check(happened(*attempted("commit", unknown))) is None
    assert check(happened(*attempted("commit", plain))) is not None


def test_loss_that_nobody_was_told_of_is_a_complaint() -> None:
    found = failed_as("save", "OperationalError")(happened(*attempted("save", event("ok", "save"))))

    assert found is not None
    assert found.label == "no error"


@pytest.mark.parametrize(
    ("rows", "label"),
    [
        ([("a",), ("b",)], None),
        ([("b",), ("a",)], None),
        ([("a",)], "row lost"),
        ([("a",), ("b",), ("b",)], "row twice"),
        ([("a",), ("b",), ("c",)], "row too many"),
        ([], "row lost"),
    ],
)
def test_stored_rows_are_compared_as_a_bag(rows: list[tuple[str]], label: str | None) -> None:
    found = stored("task", [("a",), ("b",)])(happened(rows={"task": rows}))

    assert (found.label if found else None) == label


def test_row_that_must_not_be_there_twice_may_be_missing() -> None:
    check = stored_at_most_once("task", ("a",))

    assert check(happened(rows={"task": []})) is None
    assert check(happened(rows={"task": [("a",)]})) is None
    assert check(happened(rows={"task": [("a",), ("a",)]})) is not None


def test_answer_to_another_question_is_a_complaint() -> None:
    right = event("ok", "ask", wanted="mine", value="mine")
    wrong = event("ok", "ask", wanted="mine", value="yours")

    assert answers_right(happened(right)) is None
    found = answers_right(happened(right, wrong))
    assert found is not None
    assert found.label == "wrong rows" and "1 of 2" in found.why


@pytest.mark.parametrize("seconds", [2.1, None])
def test_operation_that_took_too_long_or_never_ended_is_a_complaint(seconds: float | None) -> None:
    end = [] if seconds is None else [event("ok", "ping", t=seconds)]

    assert within(2.0, "ping")(happened(event("start", "ping"), *end)) is not None


def test_operation_in_time_is_no_complaint() -> None:
    outcome = happened(*attempted("ping", event("ok", "ping"), 1.9))

    assert within(2.0, "ping")(outcome) is None


def test_sessions_are_judged_by_the_last_count() -> None:
    check = sessions_at_most(10, at="end")

    assert check(happened(event("sessions", "end", value=10))) is None
    assert check(happened(event("sessions", "end", value=22))) == Complaint(
        "22 sessions", "22 sessions were open, allowed are 10"
    )
    assert check(happened()) is not None
