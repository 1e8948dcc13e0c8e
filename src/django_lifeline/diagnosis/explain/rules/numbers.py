"""What the error's number and text say by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from django_lifeline.core import classification as codes
from django_lifeline.diagnosis.causes import CAUSES
from django_lifeline.diagnosis.explain import ours
from django_lifeline.diagnosis.explain.facts import Facts
from django_lifeline.diagnosis.explain.rules.evidence import DECIDES, Evidence
from django_lifeline.diagnosis.explain.rules.places import LOST
from django_lifeline.diagnosis.explain.signs import PROXYSQL
from django_lifeline.diagnosis.explain.stack import Context, Step
from django_lifeline.diagnosis.numbers import CAUSE_OF
from django_lifeline.diagnosis.saying import say
from django_lifeline.diagnosis.text import N_

_DECIDED: dict[int | None, str] = {
    **CAUSE_OF,
    **dict.fromkeys(PROXYSQL, "proxy_without_server"),
    codes.ER_BAD_HOST_ERROR: "unreachable",
    codes.ER_NET_ERROR_ON_WRITE: "slow_reader",
    codes.ER_NET_WRITE_INTERRUPTED: "slow_reader",
    ours.POOL_TIMEOUT: "pool_exhausted",
    ours.POOL_QUEUE_FULL: "pool_exhausted",
    ours.POOL_DEADLOCK: "pool_exhausted",
}
_IDLE, _RESTART, _NETWORK = "idle_timeout", "server_restarted", "network_cut"
_GONE = ((_IDLE, 20), (_RESTART, 12), (_NETWORK, 10), ("packet_too_large", 10), ("killed", 6))
_LOST = ((_RESTART, 13), ("killed", 12), (_IDLE, 11), (_NETWORK, 10), ("client_timeout", 8))
_BROKEN = (("shared_after_fork", 30), ("shared_between_threads", 30), ("interrupted", 20))
_NOT_REACHED = (
    ("socket_missing", 30),
    ("connection_refused", 30),
    ("unreachable", 20),
    ("name_unknown", 10),
)
_HABITS = {
    codes.CR_SERVER_GONE_ERROR: (*_GONE, ("shared_after_fork", 5), ("closed_by_application", 5)),
    codes.CR_SERVER_LOST: _LOST,
    codes.CR_SERVER_LOST_EXTENDED: _LOST,
    codes.CLOSED_BY_US: (("closed_by_application", 30), (_IDLE, 8), ("shared_between_threads", 6)),
    codes.CR_COMMANDS_OUT_OF_SYNC: (("out_of_sync", 30), *_BROKEN),
    codes.CR_MALFORMED_PACKET: _BROKEN,
    codes.ER_NET_PACKETS_OUT_OF_ORDER: (*_BROKEN, ("packet_too_large", 12)),
    None: (*_BROKEN, ("packet_too_large", 12)),
    codes.CR_CONNECTION_ERROR: _NOT_REACHED,
    codes.CR_CONN_HOST_ERROR: _NOT_REACHED[1:],
    codes.CR_SERVER_HANDSHAKE_ERR: (("tls_failure", 20), (_NETWORK, 15)),
    codes.ER_HANDSHAKE_ERROR: (("tls_failure", 20), (_NETWORK, 15)),
    codes.ER_ABORTING_CONNECTION: ((_NETWORK, 15), (_IDLE, 15), ("killed", 10)),
    codes.ER_NET_READ_ERROR: ((_NETWORK, 20), (_IDLE, 15)),
    codes.ER_NET_READ_INTERRUPTED: ((_IDLE, 20), (_NETWORK, 15)),
}


def number_decides(facts: Facts) -> Iterator[Evidence]:
    """Some numbers have one meaning."""
    cause = _DECIDED.get(facts.code)
    if cause:
        reason = say(N_("The number {code} says so itself."), code=facts.code)
        yield Evidence(cause, DECIDES, reason)


def number_allows(facts: Facts) -> Iterator[Evidence]:
    """The others have several, some met more often; these weights only order what is open."""
    if facts.code == codes.CR_SERVER_LOST and "connecting" in facts.details:
        return
    for cause, weight in _HABITS.get(facts.code, ()):
        yield Evidence(cause, weight)


def inactivity_is_said(facts: Facts) -> Iterator[Evidence]:
    """MySQL 8.0.24 and later say why they close; some drivers show the text under 2013."""
    if "inactivity" in facts.details:
        reason = N_("The server said that the client had been inactive for too long.")
        yield Evidence(_IDLE, DECIDES, say(reason))


def failed_while_connecting(facts: Facts) -> Iterator[Evidence]:
    """2013 before the session exists: the handshake was cut off."""
    if facts.code not in (codes.CR_SERVER_LOST, codes.CR_SERVER_LOST_EXTENDED):
        return
    if "connecting" not in facts.details:
        return
    reason = say(N_("It was lost during the handshake, before there was a session."))
    yield Evidence("unreachable", 40, reason)
    yield Evidence(_NETWORK, 30, reason)
    yield Evidence("too_many_connections", 10, reason)
    yield Evidence("host_blocked", 10, reason)
    yield Evidence("tls_failure", 8, reason)
    yield Evidence(_IDLE, -60, say(N_("There was no session yet that could have been idle.")))


def driver_waited_too_long(facts: Facts) -> Iterator[Evidence]:
    """PyMySQL adds the socket's own error to its text."""
    if "timed_out" not in facts.details or facts.code not in LOST:
        return
    reason = N_("The message ends with 'timed out': the driver itself stopped waiting.")
    yield Evidence("client_timeout", 90, say(reason))


def tcp_gave_up(facts: Facts) -> Iterator[Evidence]:
    """ETIMEDOUT is TCP's verdict after minutes without an acknowledgement."""
    if facts.details & {"no_answer", "no_route"} and facts.code not in _REACHING:
        reason = N_("The operating system reports that the other side no longer answers at all.")
        yield Evidence("half_open", 80, say(reason))


def why_not_reached(facts: Facts) -> Iterator[Evidence]:
    """The system's own error, which the message ends with, tells what the number does not."""
    if facts.code not in _REACHING:
        return
    for details, cause, text in _WAYS:
        if details & facts.details:
            yield Evidence(cause, DECIDES, say(text))
            return


def nobody_listened(facts: Facts) -> Iterator[Evidence]:
    """A server that ends is the most frequent reason why nothing listens."""
    if facts.details & {"refused", "in_progress", "no_socket"} and facts.code in (*_REACHING, 2013):
        reason = N_("Nothing listened at that address at that moment: the server was down.")
        yield Evidence(_RESTART, 34, say(reason))


_REACHING = frozenset({codes.CR_CONNECTION_ERROR, codes.CR_CONN_HOST_ERROR, codes.CR_UNKNOWN_HOST})
_WAYS = (
    (frozenset({"tls"}), "tls_failure", N_("The message speaks of TLS or of a certificate.")),
    (
        frozenset({"no_name"}),
        "name_unknown",
        N_("The message says that the name could not be resolved."),
    ),
    (
        frozenset({"refused", "in_progress"}),
        "connection_refused",
        N_("The message says that the connection was refused: the host is up."),
    ),
    (
        frozenset({"no_socket"}),
        "socket_missing",
        N_("The client looked for a socket file of its own machine, not for a server elsewhere."),
    ),
    (
        frozenset({"timed_out", "no_answer", "no_route"}),
        "unreachable",
        N_("Connecting timed out, or no route leads there: packets to the server get no answer."),
    ),
)


def node_is_alone(facts: Facts) -> Iterator[Evidence]:
    """A node of Galera says so itself, and what it could not send to the others."""
    if facts.code == codes.ER_UNKNOWN_COM_ERROR:
        reason = N_("A node of Galera says that it is no working part of its cluster.")
        yield Evidence("failover", DECIDES, say(reason))
    elif facts.code == codes.ER_ERROR_DURING_COMMIT:
        reason = N_(
            "The 6 is Galera's own: the node lost the others while a COMMIT waited for them. They "
            "may have stored it."
        )
        yield Evidence("failover", DECIDES, say(reason))


def member_left_the_group(facts: Facts) -> Iterator[Evidence]:
    """Where one member takes all writes, hardly anything but a change of it undoes a COMMIT."""
    if facts.code in (codes.ER_RUN_HOOK_ERROR, codes.ER_TRANSACTION_ROLLBACK_DURING_COMMIT):
        reason = N_(
            "A member undid a COMMIT. Where the group has one primary, that one lost the others, "
            "or another was made the primary."
        )
        yield Evidence("failover", 40, say(reason))


def no_password_was_sent(facts: Facts) -> Iterator[Evidence]:
    """The server says whether there was one."""
    if facts.code == codes.ER_ACCESS_DENIED_ERROR and "no_password" in facts.details:
        reason = N_("No password was sent: PASSWORD is empty, or its variable is not set here.")
        yield Evidence("access_denied", 5, say(reason))


def closed_here(facts: Facts) -> Iterator[Evidence]:
    """mysqlclient's 2006 without a text, PyMySQL's ``(0, '')``: the handle was closed before."""
    if facts.follows is not None:
        return
    if facts.code == codes.CR_SERVER_GONE_ERROR and "empty" in facts.details:
        reason = N_("mysqlclient gives 2006 an empty text when its own close() was called before.")
        yield Evidence("closed_by_application", 60, say(reason))
    elif facts.code == codes.CLOSED_BY_US:
        reason = N_("The driver refused before sending: the connection was closed in this process.")
        yield Evidence("closed_by_application", 30, say(reason))


def engine_said(facts: Facts) -> Iterator[Evidence]:
    """This package's engine saw the loss happen, and noted on the error what it was."""
    cause, confidence = facts.told
    if cause in CAUSES:
        reason = N_("django-lifeline saw it happen and noted this cause ({confidence}).")
        weight = _NOTED.get(confidence, _NOTED["undecided"])
        yield Evidence(cause, weight, say(reason, confidence=confidence))


_NOTED = {"certain": DECIDES + 20, "likely": 60, "undecided": 12}


def answers_mixed_up(facts: Facts) -> Iterator[Evidence]:
    """Answers out of step mean two users of one connection, or a reader that was stopped."""
    if "sequence" not in facts.details and facts.code not in (2014, 2027, 1156):
        return
    reason = say(N_("The answer did not belong to the question."))
    if Context.PROCESS in facts.contexts or Context.CELERY in facts.contexts or facts.forked:
        yield Evidence("shared_after_fork", 35, reason)
    if facts.contexts & {Context.THREAD, Context.EXECUTOR, Context.ASYNC, Context.GEVENT}:
        yield Evidence("shared_between_threads", 30, reason)
    if Context.GEVENT in facts.contexts:
        yield Evidence("interrupted", 20, reason)
    if facts.step in (Step.WRITE, Step.BULK) and facts.code != codes.CR_COMMANDS_OUT_OF_SYNC:
        told = N_("The server's refusal of a packet that is too large comes out of turn as well.")
        yield Evidence("packet_too_large", 25, say(told))


RULES = (
    number_decides,
    number_allows,
    inactivity_is_said,
    failed_while_connecting,
    driver_waited_too_long,
    tcp_gave_up,
    why_not_reached,
    nobody_listened,
    node_is_alone,
    member_left_the_group,
    no_password_was_sent,
    closed_here,
    engine_said,
    answers_mixed_up,
)
