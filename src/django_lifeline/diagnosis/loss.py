"""From the facts of one loss to its `Diagnosis`: pure rules, one function each."""

from __future__ import annotations

from dataclasses import dataclass

from django_lifeline.core.classification import ER_CLIENT_INTERACTION_TIMEOUT
from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.model import Diagnosis


@dataclass(frozen=True, slots=True, kw_only=True)
class LossFacts:
    """What was known, at no cost, at the moment of a loss. Times are in seconds."""

    label: Label
    phase: str
    """``before`` sending, ``in flight``, or ``commit``."""
    code: int | None = None
    """The number of the driver's error, or of the server's goodbye."""
    idle: float = 0.0
    age: float = 0.0
    wait_timeout: float | None = None
    server_thread_id: int = 0
    statement: str = ""
    """The statement's first keyword."""
    state_lost: str = ""
    """What kind of session state went with the connection, if any."""
    forked: bool = False
    interrupted_by: str = ""
    """The class of the exception that broke into the exchange."""


def diagnose(facts: LossFacts) -> Diagnosis:
    """Name the cause as far as the facts decide it."""
    for rule in (_forked, _interrupted, _idle_timeout, _gone_before, _gone_in_flight):
        cause = rule(facts)
        if cause:
            break
    return Diagnosis(
        cause=cause or "unknown", label=facts.label, advice=_advice(facts), evidence=_told(facts)
    )


def _forked(facts: LossFacts) -> str:
    return "forked" if facts.forked else ""


def _interrupted(facts: LossFacts) -> str:
    return "interrupted" if facts.interrupted_by else ""


def _idle_timeout(facts: LossFacts) -> str:
    if facts.code == ER_CLIENT_INTERACTION_TIMEOUT:
        return "idle_timeout"
    # The server counts whole seconds and closes within about one of the limit.
    waited = facts.wait_timeout is not None and facts.idle >= facts.wait_timeout - 0.5
    return "idle_timeout" if waited and facts.phase == "before" else ""


def _gone_before(facts: LossFacts) -> str:
    return "closed_while_idle" if facts.phase == "before" else ""


def _gone_in_flight(facts: LossFacts) -> str:
    return "lost_in_flight"


_ADVICE = {
    Label.NOT_EXECUTED: "The statement did not run; it is safe to run it again.",
    Label.ROLLED_BACK: "Nothing of the transaction is stored; run the whole block again.",
    Label.COMMIT_UNKNOWN: "Look whether the transaction's rows are stored before repeating it.",
    Label.UNKNOWN_EFFECT: "The statement may have run; look at its effect before repeating it.",
    Label.REPEATABLE_READ: "A plain read was lost; run it again.",
}


def _advice(facts: LossFacts) -> str:
    if facts.label is Label.NOT_EXECUTED and facts.state_lost:
        return "The statement did not run. Set up what its session held, then run it again."
    return _ADVICE[facts.label]


def _told(facts: LossFacts) -> dict[str, object]:
    told: dict[str, object] = {
        "phase": facts.phase,
        "idle_seconds": round(facts.idle, 1),
        "age_seconds": round(facts.age, 1),
        "wait_timeout": facts.wait_timeout,
        "server_thread_id": facts.server_thread_id,
    }
    optional = {
        "code": facts.code,
        "statement": facts.statement,
        "session_state_lost": facts.state_lost,
        "interrupted_by": facts.interrupted_by,
    }
    return told | {name: value for name, value in optional.items() if value}
