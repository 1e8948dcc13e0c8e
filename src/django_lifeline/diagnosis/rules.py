"""The rules: each is a pure function from the facts of a loss to a finding, or None.

`RULES` is in the order of decision: what somebody said in so many words comes first, then what
the kernel saw, then what the times suggest. What no rule decides is said to be undecided.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

from django_lifeline.core import classification as codes
from django_lifeline.core.liveness import SightKind
from django_lifeline.diagnosis.facts import READ_SLACK, LossFacts, Phase, Successor
from django_lifeline.diagnosis.model import Confidence, Done

CERTAIN, LIKELY, UNDECIDED = Confidence.CERTAIN, Confidence.LIKELY, Confidence.UNDECIDED

SHORTEST_LIMIT = 1.0
"""The least that ``wait_timeout`` can be, in seconds."""
TIMER_SLACK = 1.5
"""Seconds by which a server may be late with what it does after a limit."""
EXACT = 0.2
"""Seconds by which two clocks, or two looks at one, may differ."""
LARGE = 32 * 1024
"""Bytes from which a statement may be over somebody's max_allowed_packet."""
MOMENT = 0.3
"""Seconds in which no server ends, begins anew and counts its sessions as far again."""
MANY_SESSIONS = 100
"""A number of a session that a server which has just begun has not reached."""
NEIGHBOURS = 100
"""How far apart the numbers of two sessions may be that were opened within a moment."""
UNHEARD = 1.0
"""Seconds without a confirmation after which a packet counts as unanswered, not as on its way."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says."""

    cause: str
    confidence: Confidence
    because: str
    alternatives: tuple[str, ...] = ()


Rule = Callable[[LossFacts], Finding | None]


# What the program itself did.


def shared_after_fork(facts: LossFacts) -> Finding | None:
    """Another process has the connection too, since one was forked from the other."""
    if facts.forked:
        told = f"process {facts.pid} was forked after its parent had opened the connection."
        return Finding("shared_after_fork", CERTAIN, told)
    if facts.sent_by_another and not facts.exposed:
        told = "somebody else sent on its socket after this process had sent its last command"
        if facts.sharers:
            return Finding("shared_after_fork", CERTAIN, f"{told}, and {_kin(facts)}.")
        return Finding("shared_after_fork", LIKELY, f"{told}.")
    return None


def _kin(facts: LossFacts) -> str:
    children = ", ".join(map(str, facts.sharers))
    return f"a child of this process (pid {children}) has that socket too"


def shared_with_a_child(facts: LossFacts) -> Finding | None:
    """A living child has the socket too, and what was seen is what two users of it bring about."""
    if not facts.sharers:
        return None
    if _garbled(facts):
        told = f"what was read makes no sense, and {_kin(facts)}."
        return Finding("shared_after_fork", LIKELY, told)
    sight = facts.sight
    ended = sight is not None and sight.kind is SightKind.CLOSED
    if facts.closed_in and ended and facts.tcp is None:
        told = f"{_kin(facts)}, and the driver has closed the connection there."
        restarted = () if _stayed_up(facts) else ("server_restarted",)
        return Finding("shared_after_fork", UNDECIDED if restarted else LIKELY, told, restarted)
    return None


def _garbled(facts: LossFacts) -> bool:
    """Whether what was read is not what should have come."""
    return (
        facts.code in (codes.ER_NET_PACKETS_OUT_OF_ORDER, codes.CR_MALFORMED_PACKET)
        or _broke_tls(facts)
        or _unasked_data(facts)
    )


def _unasked_data(facts: LossFacts) -> bool:
    sight = facts.sight
    return sight is not None and sight.kind is SightKind.DATA and not sight.encrypted


def recalled(facts: LossFacts) -> Finding | None:
    """The pool gave a resting connection to somebody who would have had to wait."""
    if facts.ended_for != "pool_exhausted":
        return None
    told = "the resting connection was lent to a borrower that would have had to wait."
    return Finding("pool_exhausted", CERTAIN, told)


def shared_between_threads(facts: LossFacts) -> Finding | None:
    """Another thread was in the middle of an exchange on the same connection."""
    if not facts.shared_with and facts.ended_for != "shared_between_threads":
        return None
    other = f"thread {facts.shared_with!r}" if facts.shared_with else "another thread"
    met = f"thread {facts.used_by!r} met {other} on the same connection."
    return Finding("shared_between_threads", CERTAIN, met)


def interrupted(facts: LossFacts) -> Finding | None:
    """An exception from nowhere broke into an exchange."""
    if facts.interrupted_by:
        broke_in = f"{facts.interrupted_by} broke into an exchange whose answer may still come."
        return Finding("interrupted", CERTAIN, broke_in)
    if facts.ended_for == "interrupted":
        return Finding("interrupted", CERTAIN, "an exchange was broken off half-way.")
    return None


def out_of_sync(facts: LossFacts) -> Finding | None:
    """A command met the unread answer to the one before."""
    if facts.unread:
        told = "the answer to the statement before was not read to its end."
        return Finding("out_of_sync", CERTAIN, told)
    if facts.code in (codes.CR_COMMANDS_OUT_OF_SYNC, codes.ER_NET_PACKETS_OUT_OF_ORDER):
        return Finding("out_of_sync", CERTAIN, f"error {facts.code} says so.")
    if facts.code == codes.CR_MALFORMED_PACKET:
        told = "what was read is no packet of the protocol."
        return Finding("out_of_sync", LIKELY, told, ("shared_after_fork",))
    if _unasked_data(facts):
        told = "an answer that nobody asked for was waiting on an idle connection."
        return Finding("out_of_sync", UNDECIDED, told, ("shared_after_fork",))
    return None


def closed_by_application(facts: LossFacts) -> Finding | None:
    """The connection was closed in this process, behind the engine's back."""
    if facts.closed_here:
        told = "this process closed the connection, its descriptor, or its socket."
        return Finding("closed_by_application", CERTAIN, told)
    return None


# What the server said.


def failover(facts: LossFacts) -> Finding | None:
    """A server that took this process's writes says that it takes none any more."""
    if not facts.refused_for:
        return None
    said = f" with error {facts.code}" if facts.code else ""
    told = f"a server that took writes refused one{said}: {facts.refused_for}"
    if facts.done is Done.REPEATED:
        return Finding("failover", CERTAIN, f"{told}; its name leads to a writable one now.")
    return Finding("failover", LIKELY, f"{told}.", ("read_only",))


def said_by_server(facts: LossFacts) -> Finding | None:
    """The server gave its reason as an error number."""
    cause = _SAID.get(facts.code or 0)
    if cause is None:
        return None
    return Finding(cause, CERTAIN, f"the server said so with error {facts.code}.")


_SAID = {
    codes.ER_CONNECTION_KILLED: "killed",
    codes.ER_SESSION_WAS_KILLED: "killed",
    codes.ER_NET_WRITE_INTERRUPTED: "slow_reader",
    codes.ER_OPTION_PREVENTS_STATEMENT: "read_only",
    codes.ER_READ_ONLY_MODE: "read_only",
}


def packet_too_large(facts: LossFacts) -> Finding | None:
    """The command was longer than the server takes."""
    limits = [facts.limits.max_allowed_packet] if facts.limits else []
    limits += [facts.server.max_allowed_packet] if facts.server else []
    limit = min(filter(None, limits), default=0)
    sizes = f"{facts.bytes_sent} bytes were sent, max_allowed_packet is {limit}"
    if facts.code in (codes.ER_NET_PACKET_TOO_LARGE, codes.CR_NET_PACKET_TOO_LARGE):
        return Finding("packet_too_large", CERTAIN, f"error {facts.code} says so; {sizes}.")
    if not facts.before_sending and limit and facts.bytes_sent > limit:
        return Finding("packet_too_large", CERTAIN, f"{sizes}.")
    return None


def idle_timeout_said(facts: LossFacts) -> Finding | None:
    """The server ended an idle session in the way that only this has."""
    if facts.code == codes.ER_CLIENT_INTERACTION_TIMEOUT:
        told = f"the server said so with error {facts.code}; {_idle_and_limit(facts)}"
        return Finding("idle_timeout", CERTAIN, told)
    if not facts.before_sending:
        return None
    if facts.goodbye_waits and not facts.mariadb and facts.code is None:
        # Encrypted, so its number cannot be seen; but MySQL has no other word for an idle session.
        told = f"the server said goodbye to an idle session; {_idle_and_limit(facts)}"
        return Finding("idle_timeout", CERTAIN if _ended_at_limit(facts) else LIKELY, told)
    if facts.mariadb and _reset(facts) and facts.through_proxy is False and _ended_at_limit(facts):
        # MariaDB says nothing, but only here does it reset.
        return Finding("idle_timeout", LIKELY, _idle_and_limit(facts))
    return None


def idle_timeout_by_time(facts: LossFacts) -> Finding | None:
    """The times fit, though what was seen does not prove it: a proxy hides how it was done."""
    if not facts.before_sending or not _ended_at_limit(facts) or _left_without_goodbye(facts):
        return None
    least, greatest = facts.ended_after
    if facts.tcp is not None and greatest - least <= EXACT and facts.through_proxy:
        return Finding("idle_timeout", LIKELY, _idle_and_limit(facts))
    others = (
        ("killed", "network_cut") if facts.through_proxy is False else ("network_cut", "killed")
    )
    return Finding("idle_timeout", UNDECIDED, _idle_and_limit(facts), others)


def _left_without_goodbye(facts: LossFacts) -> bool:
    """Whether the way in which it ended is one that an idle timeout does not take."""
    sight = facts.sight
    if sight is None or sight.kind is not SightKind.CLOSED or sight.errno:
        return False
    # MySQL says goodbye, which any proxy passes on; MariaDB resets, which a proxy may not.
    return facts.through_proxy is False and facts.tcp is not None if facts.mariadb else True


def _ended_at_limit(facts: LossFacts) -> bool:
    limit, (least, greatest) = facts.wait_timeout, facts.ended_after
    return limit is not None and greatest >= limit - EXACT and least <= limit + TIMER_SLACK


def _idle_and_limit(facts: LossFacts) -> str:
    limit, (least, greatest) = facts.wait_timeout, facts.ended_after
    idle = f"idle for {facts.idle:.1f} s"
    if limit is None:
        return f"{idle}."
    ended = f", ended after {least:.1f} s" if greatest - least < 0.1 else ""
    return (
        f"{idle}{ended}, the limit is {limit:g} s ({limit_name(facts)}), "
        f"{max(facts.idle - limit, 0):.1f} s less."
    )


def limit_name(facts: LossFacts) -> str:
    """Say which variable the session's limit comes from, and whose value it is."""
    limits = facts.limits
    if facts.own_wait_timeout is not None:
        return "session wait_timeout, set by the application"
    if facts.server and limits and facts.wait_timeout != limits.wait_timeout:
        return "global wait_timeout, lowered since this process first connected"
    if limits is None or limits.global_wait_timeout is None:
        return "session wait_timeout"
    if facts.interactive and limits.wait_timeout == limits.interactive_timeout:
        return "global interactive_timeout, since the client calls itself interactive"
    if limits.wait_timeout == limits.global_wait_timeout:
        return "global wait_timeout"
    return f"session wait_timeout; the global one is {limits.global_wait_timeout:g} s"


# What became of the server.


def server_restarted(facts: LossFacts) -> Finding | None:
    """The server is younger than the connection."""
    now, after = facts.server, facts.successor
    if now is not None and now.same_server is False:
        told = "another server answers at this address now."
        return Finding("server_restarted", UNDECIDED, told, ("network_cut",))
    if now is not None and now.uptime + 1 < facts.age:
        told = (
            f"the server has been up for {now.uptime:.0f} s, the connection was "
            f"{facts.age:.1f} s old."
        )
        return Finding("server_restarted", CERTAIN, told)
    if after is not None and _counts_anew(facts, after):
        told = (
            f"the server counts its sessions from 1 again: {facts.server_thread_id} was lost, "
            f"the next one is {after.server_thread_id}."
        )
        return Finding("server_restarted", LIKELY, told)
    if facts.unreachable_with and not facts.open:
        told = f"it could not be reached right afterwards (error {facts.unreachable_with})."
        return Finding("server_restarted", LIKELY, told, ("network_cut",))
    return None


def server_shutting_down(facts: LossFacts) -> Finding | None:
    """Error 1053 is said at a shutdown, and by MySQL to a session that is killed."""
    if facts.code != codes.ER_SERVER_SHUTDOWN:
        return None
    if _stayed_up(facts):
        told = f"error {facts.code}, and the server stayed up."
        return Finding("killed", LIKELY, told)
    told = f"the server said that it shuts down (error {facts.code})."
    return Finding("server_restarted", UNDECIDED, told, ("killed",))


def _counts_anew(facts: LossFacts, after: Successor) -> bool:
    """Whether the next number is too low for a server that stayed up."""
    if not after.server_thread_id:
        return False
    if after.at_once:
        # A small server is back within 0.1 s.
        return after.server_thread_id + NEIGHBOURS < facts.server_thread_id
    return not after.older and after.server_thread_id < facts.server_thread_id


def _stayed_up(facts: LossFacts) -> bool:
    """Whether it is proved that the server did not restart."""
    now, after = facts.server, facts.successor
    if now is not None:
        return now.same_server is not False and now.uptime >= facts.age
    if after is None:
        return False
    if after.older or after.server_thread_id < facts.server_thread_id:
        return after.older and not _counts_anew(facts, after)
    # A server that began anew has small numbers; and no server is back within a moment.
    tcp = facts.tcp
    just_now = tcp is not None and tcp.state == "CLOSE_WAIT" and tcp.last_acked < MOMENT
    return facts.server_thread_id > MANY_SESSIONS or just_now


# What the kernel and the driver saw.


def tls_failure(facts: LossFacts) -> Finding | None:
    """TLS broke, by the word of a driver that tells it from an end of the connection.

    For libmariadb any loss of an encrypted connection is error 2026, and the text tells more.
    """
    if _broke_tls(facts):
        return Finding("tls_failure", CERTAIN, f"the driver met {facts.driver_cause}.")
    return None


def _broke_tls(facts: LossFacts) -> bool:
    # An end of file without TLS's farewell is how every loss looks when encrypted.
    return facts.driver_cause.startswith("SSL") and facts.driver_cause not in _ENDS_OF_TLS


_ENDS_OF_TLS = frozenset({"SSLEOFError", "SSLZeroReturnError"})


def half_open(facts: LossFacts) -> Finding | None:
    """What was sent was not confirmed, and no reset came."""
    sight, tcp = facts.sight, facts.tcp
    if facts.before_sending:
        if sight is not None and sight.errno in _VANISHED:
            told = f"keepalive probes went unanswered ({errno.errorcode[sight.errno]})."
            return Finding("half_open", CERTAIN, told)
        if sight is not None and sight.encrypted and sight.kind is SightKind.DATA:
            told = f"a ping was not answered within {facts.ping_timeout or 0:g} s."
            return Finding("half_open", UNDECIDED, told, ("network_cut", "killed"))
        return None
    if facts.driver_cause in _VANISHED_NAMES:
        told = f"TCP gave up, as nothing was confirmed any more ({facts.driver_cause})."
        return Finding("half_open", CERTAIN, told)
    if tcp is None or not (tcp.unacked or tcp.retransmits) or tcp.last_acked < UNHEARD:
        return None
    told = f"nothing was heard of the other side for {tcp.last_acked:.1f} s, after sending."
    return Finding("half_open", CERTAIN, told)


_VANISHED = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH)
_VANISHED_NAMES = tuple(errno.errorcode[number] for number in _VANISHED)


def signal_taken_for_a_timeout(facts: LossFacts) -> Finding | None:
    """Over TLS and with a ``read_timeout``, libmariadb gives up at any signal."""
    limit = facts.read_timeout
    by_libmariadb = facts.code == codes.CR_SSL_CONNECTION_ERROR and not facts.driver_tells
    if facts.before_sending or limit is None or not (by_libmariadb and facts.open):
        return None
    if facts.elapsed >= limit - READ_SLACK:
        return None
    told = (
        f"the driver stopped waiting after {facts.elapsed:.1f} s, before its read_timeout of "
        f"{limit:g} s: over TLS, libmariadb does that at any signal."
    )
    return Finding("interrupted", LIKELY, told)


def client_timeout(facts: LossFacts) -> Finding | None:
    """The driver gave up on a connection that the other side had not ended."""
    if not facts.gave_up:
        return None
    told = f"the driver stopped waiting after {facts.elapsed:.1f} s ({_timeouts(facts)})"
    doing = facts.server.lost_session if facts.server else ""
    if facts.still_runs:
        ran = f"{told}, and the server was still at work on the statement."
        return Finding("client_timeout", CERTAIN, ran)
    if doing == "sleep":
        slept = f"{told}, and the server had no statement to work on."
        return Finding("half_open", UNDECIDED, slept, ("client_timeout",))
    if facts.unreachable_with:
        neither = (
            f"{told}, and connecting failed right afterwards (error {facts.unreachable_with})."
        )
        return Finding("half_open", UNDECIDED, neither, ("client_timeout",))
    if facts.tcp is None:
        return Finding("client_timeout", UNDECIDED, f"{told}.", ("killed", "server_restarted"))
    # A server that is frozen, and a network that swallows beyond a proxy, look the same.
    return Finding("client_timeout", UNDECIDED, f"{told}.", ("half_open",))


def _timeouts(facts: LossFacts) -> str:
    set_ones = [
        f"{name}={value:g}"
        for name, value in (
            ("read_timeout", facts.read_timeout),
            ("write_timeout", facts.write_timeout),
        )
        if value is not None
    ]
    return ", ".join(set_ones) or "a limit outside OPTIONS"


def slow_reader(facts: LossFacts) -> Finding | None:
    """Rows were taken more slowly than the server waits."""
    limit = facts.limits.net_write_timeout if facts.limits else None
    if facts.phase != Phase.READING or limit is None or facts.pause < limit - TIMER_SLACK:
        return None
    told = f"no rows were taken for {facts.pause:.1f} s, net_write_timeout is {limit:g} s."
    return Finding("slow_reader", LIKELY, told)


# What is left when nobody said anything.


def cut_by_reset(facts: LossFacts) -> Finding | None:
    """A reset on a connection that the server had no reason to end."""
    if not _reset(facts):
        return None
    seen = "the connection was reset"
    if not facts.before_sending:
        # KILL, too, ends in a reset where the server was about to send, or encrypts.
        direct = facts.through_proxy is False
        first, second = ("killed", "network_cut") if direct else ("network_cut", "killed")
        return Finding(first, UNDECIDED, f"{seen}.", _others(facts, second))
    seen += _while_idle(facts)
    if facts.through_proxy is False:
        # Without anything in between, the kernel of one of the two hosts did it.
        told = f"{seen}, and no proxy or NAT is in between."
        timed_out = ("idle_timeout",) if facts.mariadb else ()
        return Finding("network_cut", UNDECIDED, told, _others(facts, *timed_out))
    # With MariaDB, a limit that was lowered since it was read ends in a reset as well.
    lowered = facts.mariadb and facts.server is None and facts.ended_after[1] >= SHORTEST_LIMIT
    others = _others(facts, *(("idle_timeout",) if lowered else ()))
    told = f"{seen}; KILL closes an idle connection without a reset."
    return Finding("network_cut", UNDECIDED if others else LIKELY, told, others)


def closed_by_other_side(facts: LossFacts) -> Finding | None:
    """The other side closed in good order: KILL does, and so does a proxy."""
    seen = "the other side closed the connection in good order" + _while_idle(facts)
    if facts.through_proxy is False:
        others = _others(facts)
        if facts.before_sending and facts.tcp is None:
            # Of a Unix socket it cannot be seen which side ended it.
            others += ("closed_by_application", "idle_timeout")[: 1 + facts.mariadb]
        told = f"{seen}, and no proxy or NAT is in between"
        told += "; the server stayed up." if _stayed_up(facts) else "."
        return Finding("killed", UNDECIDED if others else LIKELY, told, others)
    unseen = ("idle_timeout",) if facts.mariadb and facts.before_sending else ()
    if facts.through_proxy:
        told = f"{seen}; something between the two hosts passes the connection on."
        return Finding("network_cut", UNDECIDED, told, _others(facts, "killed", *unseen))
    return Finding("killed", UNDECIDED, f"{seen}.", _others(facts, "network_cut", *unseen))


def _others(facts: LossFacts, *others: str) -> tuple[str, ...]:
    """Add to *others* what nothing has ruled out."""
    if not _stayed_up(facts):
        others += ("server_restarted",)
    if not facts.before_sending and facts.bytes_sent > LARGE and facts.server is None:
        others += ("packet_too_large",)
    held = bool(facts.sharers) and (facts.tcp is None or not facts.before_sending)
    if facts.sent_by_another or facts.fork_in_doubt or held:
        # This process may have sent it as well, by way of the driver's own connection.
        others += ("shared_after_fork",)
    return others


def _while_idle(facts: LossFacts) -> str:
    if not facts.before_sending:
        return ""
    limit = facts.wait_timeout
    known = "" if limit is None else f" (the server's limit is {limit:g} s)"
    return f" while idle for {facts.idle:.1f} s{known}"


def _reset(facts: LossFacts) -> bool:
    if facts.before_sending:
        return facts.sight is not None and facts.sight.errno in (errno.ECONNRESET, errno.EPIPE)
    if facts.driver_tells:
        return facts.driver_cause in ("ConnectionResetError", "BrokenPipeError")
    # Encrypted, an end in good order is followed by a reset as well.
    return facts.tcp is not None and facts.tcp.state == "CLOSE" and not facts.tls


RULES: tuple[Rule, ...] = (
    failover,
    shared_after_fork,
    recalled,
    shared_between_threads,
    interrupted,
    closed_by_application,
    said_by_server,
    idle_timeout_said,
    packet_too_large,
    server_restarted,
    server_shutting_down,
    idle_timeout_by_time,
    shared_with_a_child,
    out_of_sync,
    tls_failure,
    half_open,
    slow_reader,
    signal_taken_for_a_timeout,
    client_timeout,
    cut_by_reset,
    closed_by_other_side,
)
