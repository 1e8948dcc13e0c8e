"""Why no connection could be had, or a statement was refused: from numbers to findings."""

from __future__ import annotations

from django_lifeline import exceptions
from django_lifeline.core import classification as codes
from django_lifeline.diagnosis import reach
from django_lifeline.diagnosis.facts import RefusalFacts
from django_lifeline.diagnosis.model import Confidence
from django_lifeline.diagnosis.numbers import CAUSE_OF
from django_lifeline.diagnosis.rules import Finding

_POOL = frozenset({exceptions.POOL_TIMEOUT, exceptions.POOL_QUEUE_FULL, exceptions.POOL_DEADLOCK})

_SAID = {**CAUSE_OF, codes.CR_COMMANDS_OUT_OF_SYNC: "out_of_sync"}

_BROKEN_HANDSHAKE = frozenset(
    {codes.CR_SERVER_LOST, codes.CR_SERVER_GONE_ERROR, codes.CR_SERVER_LOST_EXTENDED}
    | {codes.CR_SERVER_HANDSHAKE_ERR, codes.CR_MALFORMED_PACKET, 0}
)

_NOT_REACHED = frozenset({codes.CR_CONNECTION_ERROR, codes.CR_CONN_HOST_ERROR})

_OPTIONS_OR_FAILOVER = frozenset(
    {codes.ER_OPTION_PREVENTS_STATEMENT, codes.ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION}
)
"""1290 is said of other options than read_only as well, 1792 where the session chose it. A server
that says that it takes writes is not why."""

REFUSED_STATEMENTS = frozenset(
    {
        codes.CR_COMMANDS_OUT_OF_SYNC,
        codes.ER_OPTION_PREVENTS_STATEMENT,
        codes.ER_READ_ONLY_MODE,
        codes.ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION,
    }
)
"""Errors of a statement, on a connection that lives on, which have a page of their own."""


def refusal(facts: RefusalFacts) -> Finding | None:
    """Name the cause, or None for what is not in the catalogue."""
    if facts.code in _POOL:
        return _pool_exhausted(facts)
    if facts.driver_cause.startswith(("SSL", "CertificateError")):
        met = f"the driver met {facts.driver_cause} while connecting."
        return Finding("tls_failure", Confidence.CERTAIN, met)
    if facts.code in _BROKEN_HANDSHAKE:
        met = f"the connection was lost while logging in (error {facts.code})."
        others = ("server_restarted", "half_open", "tls_failure")
        return Finding("unreachable", Confidence.UNDECIDED, met, others)
    if facts.code in _NOT_REACHED:
        return _not_reached(facts)
    cause = _SAID.get(facts.code or 0)
    if cause is None:
        return None
    if cause == "packet_too_large" and facts.size:
        met = f"the statement has {facts.size} bytes, max_allowed_packet is {facts.limit}."
        return Finding(cause, Confidence.CERTAIN, met)
    if facts.takes_writes and facts.code in _OPTIONS_OR_FAILOVER:
        return None  # another option than read_only, which the text names, or the author's choice
    sure = facts.code not in _OPTIONS_OR_FAILOVER or facts.takes_writes is False
    met = f"error {facts.code} says so{_after_waiting(facts)}."
    return Finding(cause, Confidence.CERTAIN if sure else Confidence.LIKELY, met)


def _not_reached(facts: RefusalFacts) -> Finding:
    """Tell a missing socket, a refusal and silence apart, as far as the driver shows it."""
    told = reach.by_class(facts.driver_cause) or reach.by_number(facts.system)
    if told:
        seen = facts.driver_cause or f"the system's error {facts.system}"
        met = f"the driver met {seen} while connecting (error {facts.code})."
        return Finding(told, Confidence.CERTAIN, met)
    met = f"connecting failed with error {facts.code}"
    if reach.is_local(facts.place):
        met += ", and this HOST means a Unix socket."
        return Finding(reach.SOCKET, Confidence.UNDECIDED, met, (reach.REFUSED,))
    if facts.waited / max(facts.attempts, 1) < reach.AT_ONCE:
        return Finding(reach.REFUSED, Confidence.LIKELY, f"{met}, at once.", (reach.SILENT,))
    met += f" after {facts.waited:.1f} s."
    return Finding(reach.SILENT, Confidence.LIKELY, met, (reach.REFUSED,))


def _after_waiting(facts: RefusalFacts) -> str:
    if facts.attempts < 2:
        return ""
    return f", {facts.attempts} times within {facts.waited:.1f} s"


def _pool_exhausted(facts: RefusalFacts) -> Finding:
    """An empty pool is the cause, unless it is empty since connecting fails."""
    code = facts.last_connect_code or 0
    behind = reach.SILENT if code in _NOT_REACHED else _SAID.get(code)
    if behind is not None:
        met = f"connecting fails with error {facts.last_connect_code}, so the pool stays empty."
        return Finding(behind, Confidence.LIKELY, met, ("pool_exhausted",))
    figures = dict(facts.figures)
    limit = figures.get("max_size", 0)
    met = (
        f"{figures.get('size', 0)} open{f' of at most {limit}' if limit else ''}, "
        f"{figures.get('idle', 0)} idle, {figures.get('used', 0)} used, "
        f"{figures.get('waiting', 0)} waiting."
    )
    return Finding("pool_exhausted", Confidence.CERTAIN, met)
