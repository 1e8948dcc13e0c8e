"""What times, other processes and the server say."""

from __future__ import annotations

from collections.abc import Iterator

from django_lifeline.diagnosis.explain.facts import Facts
from django_lifeline.diagnosis.explain.rules.evidence import Evidence
from django_lifeline.diagnosis.explain.rules.places import LOST
from django_lifeline.diagnosis.explain.serverlog import Event
from django_lifeline.diagnosis.explain.stack import Context, Step
from django_lifeline.diagnosis.saying import Said, duration, say
from django_lifeline.diagnosis.text import N_

DEFAULT_WAIT_TIMEOUT = 28800
MANY_AT_ONCE = 3
LARGE_PACKET = 256 << 20
SMALL_PACKET = 4 << 20
_SPREAD = 1.25
_UP_BEFORE = 60.0
_MIB = 1 << 20


def pause_against_wait_timeout(facts: Facts) -> Iterator[Evidence]:
    """The silence before a loss, beside the server's limit where that is known."""
    if facts.code not in LOST or facts.longest_pause is None:
        return
    limit = facts.variables.get("wait_timeout")
    pause = facts.longest_pause
    told = {"pause": duration(pause), "limit": duration(limit or DEFAULT_WAIT_TIMEOUT)}
    if limit is not None and pause >= limit - 1:
        reason = N_(
            "Its process had been silent in the log for {pause}; the server's wait_timeout is "
            "{limit}."
        )
        yield Evidence("idle_timeout", 60, Said(reason, told))
    elif limit is None and pause >= DEFAULT_WAIT_TIMEOUT - 60:
        reason = N_(
            "Its process had been silent in the log for {pause}; wait_timeout is {limit} unless "
            "somebody changed it."
        )
        yield Evidence("idle_timeout", 50, Said(reason, told))
    elif limit is not None and facts.pauses and pause < limit * 0.9:
        reason = N_(
            "Its process had written something {pause} before; wait_timeout is {limit}. (What it "
            "wrote need not have used the connection.)"
        )
        yield Evidence("idle_timeout", -12, Said(reason, told))
        yield Evidence("network_cut", 12, Said(reason, told))
    elif limit is None and pause >= 60:
        reason = N_("Its process had been silent in the log for {pause}.")
        yield Evidence("idle_timeout", 12, Said(reason, told))
        yield Evidence("network_cut", 12, Said(reason, told))


def the_same_pause_each_time(facts: Facts) -> Iterator[Evidence]:
    """A limit on the way shows as one shortest pause; a server's limit is known."""
    shortest, longest = facts.shortest_pause, facts.longest_pause
    if facts.code not in LOST or facts.pauses < 3 or not shortest or not longest:
        return
    limit = facts.variables.get("wait_timeout")
    below = longest < (limit or DEFAULT_WAIT_TIMEOUT) * 0.9
    if shortest >= 30 and longest <= shortest * _SPREAD and below:
        reason = N_(
            "The pauses before the losses are alike, {shortest} to {longest}, and shorter than the "
            "server's wait_timeout: that is a limit of something in between."
        )
        told = {"shortest": duration(shortest), "longest": duration(longest)}
        yield Evidence("network_cut", 30 if limit else 12, Said(reason, told))


def wait_timeout_is_known(facts: Facts) -> Iterator[Evidence]:
    """A value that is pasted or read from the server is worth telling."""
    limit = facts.variables.get("wait_timeout")
    noted, confidence = facts.told
    ruled_out = noted not in ("", "idle_timeout") and confidence in ("likely", "certain")
    if limit is None or facts.code not in LOST or ruled_out:
        return
    idle_place = facts.outside_requests or facts.first_query or facts.step is Step.BEGIN
    reason = say(
        N_(
            "The server's wait_timeout is {value} ({limit}): it ends every session idle for longer."
        ),
        value=limit,
        limit=duration(limit),
    )
    yield Evidence("idle_timeout", 14 if idle_place or limit <= 600 else 8, reason)
    later = facts.changed_later.get("wait_timeout")
    if later is not None and later > limit:
        reason = say(
            N_(
                "Later in the text wait_timeout is {later}: that makes it rarer, and dead sessions "
                "stay on the server longer. The cure is on the client's side."
            ),
            later=later,
        )
        yield Evidence("idle_timeout", 1, reason)


def packet_limit_is_known(facts: Facts) -> Iterator[Evidence]:
    """Hardly anybody sends a statement of hundreds of megabytes."""
    limit = facts.variables.get("max_allowed_packet")
    if limit is None or facts.code not in LOST:
        return
    told = {"value": limit, "size": f"{limit / _MIB:.4g} MiB"}
    if limit >= LARGE_PACKET:
        reason = N_(
            "max_allowed_packet is {value} ({size}): nobody sends such a statement by accident."
        )
        yield Evidence("packet_too_large", -70, Said(reason, told))
    elif limit <= SMALL_PACKET and facts.step in (Step.BULK, Step.WRITE):
        reason = N_("max_allowed_packet is only {value} ({size}).")
        yield Evidence("packet_too_large", 30, Said(reason, told))


def many_processes_at_once(facts: Facts) -> Iterator[Evidence]:
    """Idle processes lose their connections one by one; a server takes all at once."""
    if facts.code not in LOST or facts.at_once < MANY_AT_ONCE:
        return
    reason = say(
        N_("{processes} processes lost theirs within ten seconds: that points to the server."),
        processes=facts.at_once,
    )
    yield Evidence("server_restarted", 55, reason)
    yield Evidence("network_cut", 10, reason)
    yield Evidence("half_open", 8, reason)
    yield Evidence("idle_timeout", -25, say(N_("Sessions that idle end one by one.")))


def one_at_a_time(facts: Facts) -> Iterator[Evidence]:
    """Several losses, each alone: the server went on serving the others."""
    if facts.code in LOST and facts.count >= 3 and facts.processes >= 2 and facts.at_once == 1:
        reason = N_("The processes lost theirs at different times, so the server was up.")
        yield Evidence("server_restarted", -15, say(reason))
        yield Evidence("idle_timeout", 8)


def refused_soon_after(facts: Facts) -> Iterator[Evidence]:
    """A server that ends refuses for as long as it is down."""
    if facts.code in LOST and facts.refused_near:
        reason = N_("Within two minutes new connections were refused: the server was down.")
        yield Evidence("server_restarted", 60, say(reason))


_FROM_SERVER_LOG = (
    (
        frozenset({Event.STOPPED, Event.STARTED}),
        "server_restarted",
        75,
        N_("The server's own log tells of a stop or a start in these minutes."),
    ),
    (
        frozenset({Event.CRASHED}),
        "server_restarted",
        85,
        N_("The server's own log tells of a crash in these minutes."),
    ),
    (
        frozenset({Event.OUT_OF_MEMORY}),
        "server_restarted",
        85,
        N_("The system killed the server for want of memory in these minutes."),
    ),
    (
        frozenset({Event.ABORTED_IDLE}),
        "idle_timeout",
        65,
        N_(
            "The server's own log has 'Got timeout reading communication packets' in these "
            "minutes: it ended a session that sent nothing."
        ),
    ),
    (
        frozenset({Event.ABORTED_SENDING}),
        "slow_reader",
        70,
        N_("The server's own log tells that it could not send its answer in these minutes."),
    ),
    (
        frozenset({Event.BIG_PACKET}),
        "packet_too_large",
        85,
        N_("The server's own log has 'Got a packet bigger than max_allowed_packet'."),
    ),
    (
        frozenset({Event.KILLED}),
        "killed",
        75,
        N_("The server's own log tells of a killed session in these minutes."),
    ),
    (
        frozenset({Event.ABORTED_OTHER}),
        "network_cut",
        10,
        N_("The server's own log has an aborted connection in these minutes."),
    ),
)


def server_log_tells(facts: Facts) -> Iterator[Evidence]:
    """The other side's account of the same minutes."""
    if facts.code not in LOST:
        return
    for events, cause, weight, text in _FROM_SERVER_LOG:
        if events & facts.events:
            yield Evidence(cause, weight, say(text))


def server_was_up(facts: Facts) -> Iterator[Evidence]:
    """``Uptime``, asked for now, dates the last start."""
    if facts.up_since is None or facts.code not in LOST:
        return
    if facts.up_since > _UP_BEFORE:
        reason = say(
            N_("By its Uptime the server had been running for {span} when the first was lost."),
            span=duration(facts.up_since),
        )
        yield Evidence("server_restarted", -90, reason)
    elif facts.up_since > -10 * _UP_BEFORE:
        reason = say(
            N_("By its Uptime the server started {span} after the first was lost."),
            span=duration(max(0.0, -facts.up_since)),
        )
        yield Evidence("server_restarted", 70, reason)


def net_write_timeout_is_known(facts: Facts) -> Iterator[Evidence]:
    """The limit that a slow reader runs into."""
    limit = facts.variables.get("net_write_timeout")
    if limit is not None and facts.step is Step.FETCH and facts.code in LOST:
        reason = N_("net_write_timeout is {limit}: for longer the server does not wait to send.")
        yield Evidence("slow_reader", 15, say(reason, limit=duration(limit)))


def no_connection_left(facts: Facts) -> Iterator[Evidence]:
    """The limit, told beside the refusal."""
    limit = facts.variables.get("max_connections")
    if facts.code == 1040 and limit is not None:
        told = say(N_("max_connections is {limit}."), limit=limit)
        yield Evidence("too_many_connections", 5, told)


def aborted_sessions_counted(facts: Facts) -> Iterator[Evidence]:
    """``Aborted_clients`` counts sessions that ended without a goodbye, idle ones above all."""
    count = facts.variables.get("Aborted_clients")
    if facts.code in LOST and count:
        reason = N_("Since it started the server has seen {count} sessions end without a goodbye.")
        yield Evidence("idle_timeout", 3, say(reason, count=count))


def health_check_failed(facts: Facts) -> Iterator[Evidence]:
    """A health check is frequent, so its connection is not idle for hours."""
    if Context.HEALTH in facts.contexts and facts.code in LOST:
        reason = N_("A health check asks often, so its connection is hardly ever idle for long.")
        yield Evidence("idle_timeout", -12, say(reason))


RULES = (
    pause_against_wait_timeout,
    the_same_pause_each_time,
    wait_timeout_is_known,
    packet_limit_is_known,
    many_processes_at_once,
    one_at_a_time,
    refused_soon_after,
    server_log_tells,
    server_was_up,
    net_write_timeout_is_known,
    no_connection_left,
    aborted_sessions_counted,
    health_check_failed,
)
