"""Was the database lost to the caller? Pure functions of what happened and what is stored.

A check takes an `Outcome` and returns a `Complaint`, or None when it has none. Judges import
neither Django nor the engine, so that the engine cannot judge itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import Enum

from lifeline_lab.history import FAILURES, Event, Outcome, codes


class Kind(Enum):
    """How a cell ended."""

    SURVIVED = "survived"
    BROKEN = "broken"
    PROGRAM_BROKEN = "program broken"
    LAB_ERROR = "lab error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong, in a word or a number for the matrix and in a sentence for the reader."""

    label: str
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A cell's end, with what stands in the matrix and the reason."""

    kind: Kind
    label: str
    why: str


Check = Callable[[Outcome], Complaint | None]


def judge(check: Check, outcome: Outcome) -> Verdict:
    """Decide how a cell ended. A program with a mistake of its own never counts as survived."""
    if not outcome.has("ready"):
        return _program_broken("it never got ready", outcome)
    mistakes = [event for event in outcome.history if event.facts.get("bug")]
    if mistakes:
        return _program_broken(_sentence(mistakes[0]), outcome)
    if outcome.exit_status is None:
        return Verdict(Kind.BROKEN, _label(outcome, "hangs"), _hanging(outcome))
    if outcome.exit_status < 0:
        why = f"the process was ended by signal {-outcome.exit_status}"
        return Verdict(Kind.BROKEN, f"signal {-outcome.exit_status}", why)
    if outcome.exit_status > 0 or not outcome.has("done"):
        return _program_broken(f"it ended early, status {outcome.exit_status}", outcome)
    complaint = check(outcome)
    if complaint is not None:
        return Verdict(Kind.BROKEN, complaint.label, complaint.why)
    return Verdict(Kind.SURVIVED, "survived", "every answer was right and every row is stored")


def every(*checks: Check) -> Check:
    """All of these must hold; the first complaint counts."""

    def check(outcome: Outcome) -> Complaint | None:
        return next((found for one in checks if (found := one(outcome))), None)

    return check


def nothing_failed(*, save: Collection[str] = ()) -> Check:
    """The caller saw no error, but in the operations named by ``save``."""

    def check(outcome: Outcome) -> Complaint | None:
        wrong = [event for event in outcome.events(*FAILURES) if event.op not in save]
        if not wrong:
            return None
        others = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return Complaint(_codes(wrong), f"{_sentence(wrong[0])}{others}")

    return check


def worked(op: str, times: int = 1) -> Check:
    """The operation succeeded at least so often."""

    def check(outcome: Outcome) -> Complaint | None:
        fine = sum(event.op == op for event in outcome.events("ok"))
        if fine >= times:
            return None
        wrong = [event for event in outcome.events("fail") if event.op == op]
        label = _codes(wrong) if wrong else "not done"
        return Complaint(label, f"{op!r} worked {fine} times, wanted were {times}")

    return check


def failed_as(op: str, *kinds: str) -> Check:
    """The operation failed, and with an error of one of these classes, known by name only."""

    def check(outcome: Outcome) -> Complaint | None:
        ends = [call.end for call in outcome.calls(op) if call.end is not None]
        if not any(end.event == "fail" for end in ends):
            return Complaint("no error", f"{op!r} did not fail, though its work was lost")
        for end in ends:
            if end.event == "fail" and not set(kinds) & set(end.facts.get("kinds", ())):
                wanted = " or ".join(kinds)
                return Complaint(_codes([end]), f"{_sentence(end)}; wanted was {wanted}")
        return None

    return check


def stored(table: str, wanted: Iterable[tuple[object, ...]]) -> Check:
    """Exactly these rows are in the table, in any order."""
    expected = Counter(tuple(row) for row in wanted)

    def check(outcome: Outcome) -> Complaint | None:
        found = Counter(tuple(row) for row in outcome.rows.get(table, ()))
        missing, extra = expected - found, found - expected
        if extra & expected:
            return _with_codes(outcome, "row twice", f"stored twice in {table}: {_some(extra)}")
        if missing:
            return _with_codes(outcome, "row lost", f"not stored in {table}: {_some(missing)}")
        if extra:
            return _with_codes(outcome, "row too many", f"stored in {table}: {_some(extra)}")
        return None

    return check


def stored_at_most_once(table: str, row: tuple[object, ...]) -> Check:
    """The row is there once or not at all."""

    def check(outcome: Outcome) -> Complaint | None:
        times = sum(tuple(found) == row for found in outcome.rows.get(table, ()))
        if times <= 1:
            return None
        return Complaint("row twice", f"{row} is stored {times} times in {table}")

    return check


def answers_right(outcome: Outcome) -> Complaint | None:
    """Every answer is the one that was asked for: nobody read another's row."""
    tagged = [event for event in outcome.events("ok") if "wanted" in event.facts]
    wrong = [event for event in tagged if event.facts["value"] != event.facts["wanted"]]
    if not wrong:
        return None
    first = wrong[0].facts
    return Complaint(
        "wrong rows",
        f"{len(wrong)} of {len(tagged)} answers were wrong, the first: asked for "
        f"{first['wanted']!r}, got {first['value']!r}",
    )


def within(seconds: float, *ops: str) -> Check:
    """None of these operations took longer, whether it worked or not."""

    def check(outcome: Outcome) -> Complaint | None:
        for call in outcome.calls():
            if call.op in ops and (call.seconds is None or call.seconds > seconds):
                took = "never ended" if call.seconds is None else f"took {call.seconds:.1f} s"
                return Complaint("too slow", f"{call.op!r} {took}, allowed are {seconds} s")
        return None

    return check


def sessions_at_most(most: int, at: str) -> Check:
    """The server had no more sessions of this program when they were counted."""

    def check(outcome: Outcome) -> Complaint | None:
        counts = [e.facts["value"] for e in outcome.events("sessions") if e.op == at]
        if not counts:
            return Complaint("not counted", f"the sessions were never counted at {at!r}")
        if counts[-1] <= most:
            return None
        return Complaint(
            f"{counts[-1]} sessions", f"{counts[-1]} sessions were open, allowed are {most}"
        )

    return check


def _codes(events: Iterable[Event]) -> str:
    found = codes(events)
    more = ", …" if len(found) > 2 else ""
    return ", ".join(found[:2]) + more


def _label(outcome: Outcome, otherwise: str) -> str:
    found = _codes(outcome.history)
    return f"{found}, {otherwise}" if found else otherwise


def _with_codes(outcome: Outcome, label: str, why: str) -> Complaint:
    found = outcome.events(*FAILURES)
    return Complaint(f"{_codes(found)}, {label}" if found else label, why)


def _some(rows: Counter[tuple[object, ...]]) -> str:
    listed = list(rows)
    return ", ".join(map(str, listed[:3])) + (" …" if len(listed) > 3 else "")


def _sentence(event: Event) -> str:
    name = event.facts.get("error", "error")
    return f"{event.op!r} failed: {name} {event.facts.get('text', '')}".rstrip()


def _hanging(outcome: Outcome) -> str:
    waiting = [call.op for call in outcome.calls() if call.end is None]
    where = f"in {waiting[0]!r}" if waiting else "at its end"
    return f"the program hangs {where}"


def _program_broken(why: str, outcome: Outcome) -> Verdict:
    tail = outcome.stderr.strip().splitlines()[-1:] or [""]
    return Verdict(Kind.PROGRAM_BROKEN, "program broken", f"{why}. {tail[0]}".strip())
