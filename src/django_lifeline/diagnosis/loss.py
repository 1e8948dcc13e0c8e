"""From the facts of one loss, or of one refusal, to its `Diagnosis`."""

from __future__ import annotations

from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.facts import LossFacts, RefusalFacts
from django_lifeline.diagnosis.model import UNKNOWN, Confidence, Diagnosis, Done
from django_lifeline.diagnosis.refusals import refusal
from django_lifeline.diagnosis.rules import RULES, Finding

_NOTHING = Finding(UNKNOWN, Confidence.UNDECIDED, "")


def diagnose(facts: LossFacts) -> Diagnosis:
    """Name the cause of a lost connection as far as the facts decide it."""
    found = next(filter(None, (rule(facts) for rule in RULES)), _NOTHING)
    return Diagnosis(
        cause=found.cause,
        confidence=found.confidence,
        alternatives=found.alternatives,
        because=found.because,
        label=facts.label,
        done=facts.done,
        advice=_advice(facts),
        evidence=_evidence(facts),
    )


def server_could_tell(facts: LossFacts, found: Diagnosis) -> bool:
    """Whether a question to the server may decide what *found* leaves open.

    Not after a silence: what did not answer then would not answer now.
    """
    if facts.server is not None or found.confidence is Confidence.CERTAIN:
        return False
    return found.cause in _SERVER_KNOWS or "server_restarted" in found.alternatives


_SERVER_KNOWS = frozenset({"killed", "network_cut", "server_restarted", "client_timeout", UNKNOWN})


def diagnose_refusal(facts: RefusalFacts) -> Diagnosis | None:
    """Name the cause why no connection could be had; None where it is none of ours."""
    found = refusal(facts)
    if found is None:
        return None
    told = {
        "code": facts.code,
        "driver_cause": facts.driver_cause,
        "system_error": facts.system,
        "pool": facts.place,
        "waited_seconds": round(facts.waited, 1) if facts.waited else None,
        "attempts": facts.attempts if facts.attempts > 1 else None,
        "last_connect_code": facts.last_connect_code,
        "bytes": facts.size,
        "max_allowed_packet": facts.limit,
        **dict(facts.figures),
    }
    return Diagnosis(
        cause=found.cause,
        confidence=found.confidence,
        alternatives=found.alternatives,
        because=found.because,
        label=Label.NOT_EXECUTED,
        done=Done.RAISED,
        advice="The statement did not run; it is safe to run it again once this is put right.",
        evidence={name: value for name, value in told.items() if value or name in _COUNTS},
    )


_COUNTS = frozenset({"idle", "used", "size"})
"""Figures for which 0 is told as well."""

_HEALED = {
    Done.REPLACED: "Nothing to do: the statement ran on another connection.",
    Done.REPEATED: "Nothing to do: it was run again on another connection.",
    Done.DISCARDED: "Nothing to do: nobody was using the connection.",
}

_ADVICE = {
    Label.NOT_EXECUTED: "The statement did not run; it is safe to run it again.",
    Label.ROLLED_BACK: "Nothing of the transaction is stored; run the whole block again.",
    Label.COMMIT_UNKNOWN: (
        "It is stored, or not, or will be yet: finding no rows proves nothing. Insert the same "
        "unique value again in a new transaction; it waits for the old one, and if it is refused, "
        "that one is stored."
    ),
    Label.UNKNOWN_EFFECT: (
        "The statement may have run, or still be running: repeat it only where a second time is "
        "refused, by a unique value, or changes nothing."
    ),
    Label.REPEATABLE_READ: "A plain read was lost; run it again.",
}


def _advice(facts: LossFacts) -> str:
    if facts.done is not Done.RAISED:
        return _HEALED[facts.done]
    if facts.label is Label.NOT_EXECUTED and facts.state_lost:
        return "The statement did not run. Set up what its session held, then run it again."
    if facts.still_runs and facts.label is Label.REPEATABLE_READ:
        return "It was not run again beside that: make it faster, or raise read_timeout."
    return _ADVICE[facts.label]


def _evidence(facts: LossFacts) -> dict[str, object]:
    told: dict[str, object] = {
        "phase": str(facts.phase),
        "idle_seconds": round(facts.idle, 1),
        "age_seconds": round(facts.age, 1),
        "wait_timeout": facts.wait_timeout,
    }
    optional = {
        "server_thread_id": facts.server_thread_id,
        "code": facts.code,
        "driver_cause": facts.driver_cause,
        "statement": facts.statement,
        "refused_for": facts.refused_for,
        "bytes_sent": facts.bytes_sent,
        "seconds_in_flight": 0 if facts.before_sending else round(facts.elapsed, 1),
        "longest_pause": round(facts.pause, 1),
        "session_state_lost": facts.state_lost,
        "in_transaction": facts.in_transaction,
        "interrupted_by": facts.interrupted_by,
        "read_timeout": facts.read_timeout,
        "write_timeout": facts.write_timeout,
        "opened_by": facts.opened_by,
        "used_by": facts.used_by,
        "pid": facts.pid,
        "shared_with_processes": ", ".join(map(str, facts.sharers)),
        "closed_in_processes": ", ".join(map(str, facts.closed_in)),
        "tls": facts.tls,
        "through_proxy": {True: "yes", False: "no"}.get(facts.through_proxy, ""),  # type: ignore[arg-type]
        **_limits(facts),
        **_kernel(facts),
        **_afterwards(facts),
    }
    return told | {
        name: value for name, value in optional.items() if value or name in _TOLD_IF_ZERO
    }


_TOLD_IF_ZERO = frozenset({"uptime_seconds"})


def _limits(facts: LossFacts) -> dict[str, object]:
    limits = facts.limits
    if limits is None:
        return {}
    return {
        "global_wait_timeout": limits.global_wait_timeout,
        "interactive_timeout": limits.interactive_timeout,
        "net_write_timeout": limits.net_write_timeout,
        "max_allowed_packet": limits.max_allowed_packet,
    }


def _kernel(facts: LossFacts) -> dict[str, object]:
    sight, tcp = facts.sight, facts.tcp
    told: dict[str, object] = {}
    if sight is not None:
        told = {"seen": sight.kind.value, "poll_bits": sight.bits, "errno": sight.errno}
    if tcp is not None:
        told |= {
            "tcp_state": tcp.state,
            "last_heard_seconds": round(min(tcp.last_acked, tcp.last_received), 1),
            "unsent_bytes": tcp.unsent,
            "retransmits": tcp.retransmits,
        }
    return told


def _afterwards(facts: LossFacts) -> dict[str, object]:
    now, after = facts.server, facts.successor
    told: dict[str, object] = {"unreachable_with": facts.unreachable_with}
    if after is not None:
        told["next_server_thread_id"] = after.server_thread_id
    if now is not None:
        told |= {
            "uptime_seconds": now.uptime,
            "same_server": {True: "yes", False: "no"}.get(now.same_server, ""),  # type: ignore[arg-type]
            "read_only": now.read_only,
            "aborted_clients": now.aborted_clients,
            "aborted_connects": now.aborted_connects,
            "lost_session": now.lost_session,
            "wait_timeout_now": now.wait_timeout,
            "max_allowed_packet_now": now.max_allowed_packet,
        }
    return told
