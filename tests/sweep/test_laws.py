"""Each law fires on what it forbids, and on nothing that is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.sweep.cells import Fault
from tests.sweep.laws import LAWS, Facts, Raised, violations
from tests.sweep.outcome import GUARANTEES
from tests.sweep.wire import Seen
from tests.sweep.work import START, Workload

NEW = (*START, ("new", 9))


def nothing(stage: object) -> None:
    """What runs does not matter here."""


READ = Workload("read", nothing, answer=3, healed=True)
WRITE = Workload("write", nothing, (START, NEW))
HOOKED = replace(WRITE, hooks=1)
SWALLOWS = replace(WRITE, swallowed=(("a", 1),))

LOST = Raised("ConnectionLost", True, 2013, lost=True, label="unknown_effect")
ROLLED_BACK = replace(LOST, label="rolled_back")
COMMIT_UNKNOWN = replace(LOST, unknown=True, label="commit_unknown")
REFUSED = Raised("OperationalError", True, 1205)
UNANSWERED = Seen(commit_sent=True)
ANSWERED = Seen(commit_sent=True, commit_answered=True)


def facts(workload: Workload, kind: str = "fin", **seen: Any) -> Facts:
    """What a run with such a fault has left: what is right, unless told otherwise."""
    fault = Fault(0, "up", 1, "half", kind)
    usual = {"stored": workload.states[0] if seen.get("raised") else workload.states[-1]}
    answer = {"answer": 3} if workload.answer == 3 and "raised" not in seen else {}
    return Facts(workload, fault, **{"seen": Seen(), **usual, **answer, **seen})


RIGHT = {
    "read": facts(READ),
    "write": facts(WRITE),
    "write that is lost": facts(WRITE, raised=LOST),
    "write that is lost and stored": facts(WRITE, raised=LOST, stored=NEW),
    "write that was rolled back": facts(WRITE, raised=ROLLED_BACK),
    "COMMIT without an answer": facts(WRITE, raised=COMMIT_UNKNOWN, seen=UNANSWERED, stored=NEW),
    "refusal": facts(WRITE, "1205", raised=REFUSED),
    "deadlock, then its savepoint": facts(WRITE, "1213", raised=replace(REFUSED, number=1305)),
    "deadlock that was swallowed": facts(SWALLOWS, "1213", stored=(("a", 1),)),
    "lost while connecting": facts(
        READ, raised=replace(LOST, lost=False, label="not_executed"), seen=Seen(struck="login")
    ),
    "no server that could answer": facts(
        READ, "away", raised=replace(LOST, number=2003, lost=False, label="not_executed")
    ),
    "no server, and the work was lost": facts(WRITE, "away", raised=ROLLED_BACK),
    "garbage that is an answer": facts(READ, "garbage", answer=7),
    "garbage in a value": facts(
        READ, "garbage", raised=Raised("builtins.UnicodeDecodeError", False, "utf-8")
    ),
    "hook": facts(HOOKED, hooks=["committed"]),
    "savepoint that could not be undone": facts(
        WRITE, raised=Raised("django.db.transaction.TransactionManagementError", True, "An error")
    ),
    "autocommit that was garbled": facts(
        WRITE,
        "garbage",
        raised=replace(REFUSED, number=1047),
        seen=Seen(struck="autocommit on"),
        next=["its row is stored 0 times"],
    ),
}
RIGHT["lost while connecting"].workload = replace(READ, healed=False)

WRONG = [
    ("error", facts(WRITE, raised=replace(LOST, django=False))),
    ("error", facts(WRITE, raised=replace(LOST, number="(2013, …)"))),
    ("error", facts(WRITE, raised=replace(LOST, number=2014))),
    ("error", facts(WRITE, raised=replace(LOST, number=1146))),
    ("error", facts(WRITE, "1205", raised=LOST)),
    ("diagnosis", facts(WRITE, raised=replace(LOST, label=None))),
    ("diagnosis", facts(WRITE, raised=replace(LOST, lost=False))),
    ("error", facts(WRITE, raised=replace(LOST, number=2003))),
    ("diagnosis", facts(WRITE, "away", raised=replace(LOST, lost=False))),
    ("commit", facts(WRITE, "away", raised=LOST, seen=ANSWERED, stored=NEW)),
    ("stored", facts(WRITE, stored=START)),
    ("stored", facts(WRITE, stored=(*NEW, ("new", 9)))),
    ("stored", facts(WRITE, raised=LOST, stored=(*NEW, ("new", 9)))),
    ("stored", facts(SWALLOWS, "1205", stored=(("a", 1),))),
    ("label", facts(WRITE, raised=ROLLED_BACK, stored=NEW)),
    ("label", facts(WRITE, raised=replace(LOST, label="not_executed"), stored=NEW)),
    ("label", facts(WRITE, "1205", raised=REFUSED, stored=NEW)),
    ("commit", facts(WRITE, raised=COMMIT_UNKNOWN)),
    ("commit", facts(WRITE, raised=COMMIT_UNKNOWN, seen=ANSWERED, stored=NEW)),
    ("commit", facts(WRITE, raised=LOST, seen=ANSWERED, stored=NEW)),
    ("commit", facts(WRITE, raised=LOST, seen=UNANSWERED)),
    ("hooks", facts(HOOKED)),
    ("hooks", facts(HOOKED, hooks=["committed", "committed"])),
    ("hooks", facts(HOOKED, raised=LOST, hooks=["committed"])),
    ("healed", facts(READ, raised=LOST)),
    ("healed", facts(WRITE, "delay", raised=LOST)),
    ("answer", facts(READ, answer=4)),
    ("next", facts(READ, next=["the next statement raised"])),
    ("thread", facts(READ, thread=["its row is stored 2 times"])),
    ("leak", facts(READ, leaks=["1 used"])),
]


@pytest.mark.parametrize("left", RIGHT.values(), ids=RIGHT)
def test_what_is_right_breaks_no_law(left: Facts) -> None:
    assert violations(left) == []


@pytest.mark.parametrize(("law", "left"), WRONG, ids=[law for law, _ in WRONG])
def test_what_is_wrong_breaks_its_law(law: str, left: Facts) -> None:
    assert law in {broken for broken, _ in violations(left)}


def test_every_law_is_tested_but_that_of_hanging_which_a_clock_judges() -> None:
    assert {law for law, _ in WRONG} == set(LAWS) - {"hang"}


def test_every_law_belongs_to_a_guarantee() -> None:
    assert set(GUARANTEES) == set(LAWS)


@pytest.mark.parametrize(("law", "left"), WRONG, ids=[law for law, _ in WRONG])
def test_stock_engine_is_asked_for_no_diagnosis_and_no_healing(law: str, left: Facts) -> None:
    found = {broken for broken, _ in violations(replace(left, lifeline=False))}
    assert not found & {"diagnosis", "commit"}
