"""What must hold after every cell, whatever struck; pure functions of what was seen.

Each law has the name of what it protects. A violation is a sentence under that name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.sweep.cells import AWAY, CUTS, FATAL, OPENING, REFUSALS, Fault
from tests.sweep.wire import Seen
from tests.sweep.work import UNCHECKED, Rows, Workload

LOSSES = {2006, 2013, 2055, 4031, 1053, 1927, 3169, 1158, 1159, 1160, 1161}
UNREACHABLE = {2002, 2003}
NOTHING_DONE = {"not_executed", "rolled_back"}
LAWS = {
    "error": "what is raised is Django's, numbered, and tells of the loss, not of what followed it",
    "diagnosis": "a lost connection is a ConnectionLost with a diagnosis",
    "stored": "a success is stored exactly once, an error at most once",
    "label": "what is said of the lost work is true",
    "commit": "CommitOutcomeUnknown where a COMMIT was sent and not answered, and only there",
    "hooks": "hooks after a commit run once, and only after a commit",
    "healed": "a plain read outside a transaction survives one loss, a delay harms nothing",
    "answer": "an answer is the right one",
    "next": "the next statement works without help, is answered and stored",
    "thread": "a new thread works as well",
    "leak": "no slot and no connection is lost",
    "hang": "it comes to an end",
}


@dataclass(frozen=True)
class Raised:
    """What an exception says, without holding on to it."""

    kind: str
    """Module and name of its class."""
    django: bool
    """Whether it is one of Django's database errors."""
    number: object
    lost: bool = False
    """Whether it is a ``ConnectionLost``."""
    unknown: bool = False
    """Whether it is a ``CommitOutcomeUnknown``."""
    label: str | None = None
    """What its diagnosis says of the work; None without a diagnosis."""

    def __str__(self) -> str:
        label = f" {self.label}" if self.label else ""
        return f"{self.kind} {self.number}{label}"


@dataclass
class Facts:
    """What one run has left."""

    workload: Workload
    fault: Fault | None
    seen: Seen
    raised: Raised | None = None
    answer: Any = None
    stored: Rows = ()
    hooks: list[str] = field(default_factory=list)
    next: list[str] = field(default_factory=list)
    """What is wrong with the next statements on the same wrapper."""
    thread: list[str] = field(default_factory=list)
    """What is wrong with a new thread's."""
    leaks: list[str] = field(default_factory=list)
    lifeline: bool = True
    """Whether this engine ran; of the stock engine less is demanded."""

    @property
    def kind(self) -> str:
        """What the fault is."""
        return self.fault.kind if self.fault else "none"

    @property
    def garbled(self) -> bool:
        """Whether an answer may be wrong without anybody's fault."""
        return self.kind == "garbage"

    @property
    def loses(self) -> bool:
        """Whether the fault ends the connection."""
        return self.kind in CUTS or self.kind in FATAL

    @property
    def opening(self) -> bool:
        """Whether the connection was lost before anybody had it; of TLS that cannot be told."""
        struck = self.seen.struck
        return struck in OPENING or struck == "session" or struck.startswith("TLS")

    @property
    def ended(self) -> str:
        """How it ended, for the reader."""
        return f"raised {self.raised}" if self.raised else "succeeded"


def violations(facts: Facts) -> list[tuple[str, str]]:
    """Every law that was broken, with what was seen."""
    found = [
        *_errors(facts),
        *_stored(facts),
        *_labels(facts),
        *_commits(facts),
        *_hooks(facts),
        *_healed(facts),
    ]
    if not _stays_manual(facts):
        found += [("next", each) for each in facts.next]
    found += [("thread", each) for each in facts.thread]
    found += [("leak", each) for each in facts.leaks]
    return [(law, f"{facts.ended}; {said}") for law, said in found]


def _errors(facts: Facts) -> Iterator[tuple[str, str]]:
    raised = facts.raised
    # Django says the first of a block whose savepoint could not be undone, as with stock.
    if raised is None or raised.kind.endswith(".TransactionManagementError"):
        return
    if not raised.django:
        if not _is_of_a_value(facts, raised):
            yield "error", "that is none of Django's errors"
    elif not isinstance(raised.number, int) or isinstance(raised.number, bool):
        yield "error", "args[0] is no number"
    elif raised.number == 2014:
        yield "error", "the connection was lost, not out of step"
    elif facts.kind in REFUSALS:
        if raised.number != int(facts.kind) and not _follows_a_rollback(facts, raised):
            yield "error", f"the server said {facts.kind}"
    elif facts.lifeline and facts.loses:
        yield from _losses(facts, raised)


def _stays_manual(facts: Facts) -> bool:
    """Whether the server did not understand ``SET autocommit = 1``.

    Then Django stays in manual mode: the same with its own engine.
    """
    return facts.garbled and facts.raised is not None and facts.seen.struck == "autocommit on"


def _losses(facts: Facts, raised: Raised) -> Iterator[tuple[str, str]]:
    # Where no server is there, whoever lost nothing hears of that alone.
    opening = facts.opening or facts.kind == AWAY and raised.number in UNREACHABLE
    if raised.number not in LOSSES and not opening:
        yield "error", "that is not what happened"
    elif raised.label is None:
        yield "diagnosis", "it has no diagnosis"
    elif not raised.lost and not opening:
        yield "diagnosis", "that is no ConnectionLost"


def _is_of_a_value(facts: Facts, raised: Raised) -> bool:
    """Whether a value was garbled, so that its converter complains: PyMySQL's users know that."""
    return facts.garbled and raised.kind in {"builtins.UnicodeDecodeError", "builtins.ValueError"}


def _follows_a_rollback(facts: Facts, raised: Raised) -> bool:
    """Whether Django itself meets the savepoint that went with the transaction, as with stock."""
    return facts.kind == "1213" and raised.number == 1305


def _stored(facts: Facts) -> Iterator[tuple[str, str]]:
    states = facts.workload.states
    if facts.kind == "1213" and facts.stored == facts.workload.swallowed:
        return
    if facts.stored not in states:
        yield "stored", f"what is stored is neither before nor after: {facts.stored}"
    elif facts.raised is None and facts.stored != states[-1] and not facts.garbled:
        yield "stored", f"it is not stored: {facts.stored}"


def _labels(facts: Facts) -> Iterator[tuple[str, str]]:
    raised, states = facts.raised, facts.workload.states
    if raised is None or facts.garbled or len(states) == 1 or not facts.workload.whole:
        return
    if raised.label in NOTHING_DONE and facts.stored != states[0]:
        yield "label", f"but it is stored: {facts.stored}"
    if facts.kind in REFUSALS and facts.stored != states[0]:
        yield "label", f"the server refused it, but it is stored: {facts.stored}"


def _commits(facts: Facts) -> Iterator[tuple[str, str]]:
    raised, seen = facts.raised, facts.seen
    if not facts.lifeline or raised is None or facts.garbled or seen.commit_sent is None:
        return
    unknown = seen.commit_sent and not seen.commit_answered
    if raised.unknown and not seen.commit_sent:
        yield "commit", "but no COMMIT was sent"
    if raised.unknown and seen.commit_answered:
        yield "commit", "but the COMMIT was answered"
    if not facts.workload.whole or facts.kind in REFUSALS or not facts.workload.writes:
        return
    if seen.commit_answered and facts.stored == facts.workload.states[-1]:
        yield "commit", "though the COMMIT was acknowledged"
    # Who says 4031 was not listening any more.
    if unknown and not raised.unknown and facts.kind != "4031":
        yield "commit", "that hides a COMMIT without an answer"


def _hooks(facts: Facts) -> Iterator[tuple[str, str]]:
    wanted = facts.workload.hooks if facts.raised is None else 0
    if len(facts.hooks) != wanted and not facts.garbled:
        yield "hooks", f"{len(facts.hooks)} hooks ran in place of {wanted}"


def _healed(facts: Facts) -> Iterator[tuple[str, str]]:
    if facts.raised is not None:
        if facts.kind in {"delay", "none"}:
            yield "healed", "nothing had been lost"
        elif facts.lifeline and facts.workload.healed and facts.loses and facts.kind != AWAY:
            yield "healed", "it is a plain read"
    elif not facts.garbled and facts.workload.answer not in (UNCHECKED, facts.answer):
        yield "answer", f"the answer is {facts.answer!r}"
