"""What the place in the program says."""

from __future__ import annotations

from collections.abc import Iterator

from django_lifeline.diagnosis.explain.facts import Facts
from django_lifeline.diagnosis.explain.rules.evidence import Evidence
from django_lifeline.diagnosis.explain.stack import Context, Step
from django_lifeline.diagnosis.saying import say
from django_lifeline.diagnosis.text import N_

LOST = frozenset({2006, 2013, 2055, 0})
"""The numbers of a connection that is gone, whatever took it."""

_SMALL = frozenset(
    {Step.BEGIN, Step.AFTER_COMMIT, Step.COMMIT, Step.ROLLBACK, Step.SAVEPOINT, Step.PING}
)


def beginning_of_a_transaction(facts: Facts) -> Iterator[Evidence]:
    """Entering ``atomic`` is where a connection is used again after other work."""
    if facts.code in LOST and facts.step is Step.BEGIN:
        reason = say(
            N_(
                "It failed at the beginning of a transaction, before any of the work was sent: the "
                "connection was dead already."
            )
        )
        yield Evidence("idle_timeout", 35, reason)
        yield Evidence("network_cut", 12, reason)
        yield Evidence("server_restarted", 6)


def first_query_of_a_request(facts: Facts) -> Iterator[Evidence]:
    """With ``CONN_MAX_AGE`` a request begins with the connection that the last one left."""
    if facts.code in LOST and facts.first_query:
        reason = say(
            N_(
                "It was the first query of a request: the connection had been waiting since the "
                "request before."
            )
        )
        yield Evidence("idle_timeout", 30, reason)
        yield Evidence("network_cut", 12, reason)


def outside_requests(facts: Facts) -> Iterator[Evidence]:
    """Nobody closes old connections there."""
    if facts.code in LOST and facts.outside_requests:
        reason = say(
            N_(
                "It happened outside requests, where neither CONN_MAX_AGE nor CONN_HEALTH_CHECKS "
                "takes effect: the connection stays open between two pieces of work."
            )
        )
        yield Evidence("idle_timeout", 25, reason)
        yield Evidence("network_cut", 8)


def web_request(facts: Facts) -> Iterator[Evidence]:
    """Persistent connections wait between requests as well."""
    if facts.code == 2006 and Context.WEB in facts.contexts and not facts.first_query:
        reason = N_("Between two requests a persistent connection (CONN_MAX_AGE) is idle.")
        yield Evidence("idle_timeout", 10, say(reason))


def small_statement(facts: Facts) -> Iterator[Evidence]:
    """What is a few bytes long cannot be too large."""
    if facts.code in LOST and facts.step in _SMALL:
        reason = N_("What was being sent is a few bytes long.")
        yield Evidence("packet_too_large", -80, say(reason))
    elif facts.code in LOST and (facts.first_query or facts.step is Step.READ):
        yield Evidence("packet_too_large", -6)


def many_rows_at_once(facts: Facts) -> Iterator[Evidence]:
    """The statement of ``bulk_create`` grows with its rows."""
    if facts.code in LOST and facts.step is Step.BULK:
        reason = N_("Many rows went in one statement, which is how statements grow too large.")
        # The server closes while the rest is being sent: most drivers then say 2006.
        sending = facts.code == 2006 or "pipe" in facts.details
        yield Evidence("packet_too_large", 50 if sending else 40, say(reason))
    elif facts.code in LOST and facts.step is Step.WRITE:
        yield Evidence("packet_too_large", 6)


def names_of_large_things(facts: Facts) -> Iterator[Evidence]:
    """``store_attachment`` or ``import_prices`` sends more than most code does."""
    if facts.large and facts.step in (Step.BULK, Step.WRITE) and facts.code in (*LOST, None, 1156):
        reason = N_("By its name the code stores files or many rows, which make large statements.")
        yield Evidence("packet_too_large", 40 if facts.code != 2013 else 20, say(reason))


def while_rows_were_read(facts: Facts) -> Iterator[Evidence]:
    """Rows of a server-side cursor are taken at the pace of the work on them."""
    if facts.code in LOST and facts.step is Step.FETCH:
        reason = N_("It was lost while the rows of a running result were being taken.")
        yield Evidence("slow_reader", 50, say(reason))
        yield Evidence("killed", 4)
        yield Evidence("idle_timeout", -30, say(N_("The session was not idle.")))


def waiting_for_an_answer(facts: Facts) -> Iterator[Evidence]:
    """2013 in a statement with an answer pending is no idle session on most drivers."""
    # The engine knows whether it was sent; a log without it only has the place.
    unseen = not facts.told[0]
    if unseen and facts.code in (2013, 2055) and facts.step in (Step.BULK, Step.WRITE, Step.COMMIT):
        reason = N_("The statement had been sent, and its answer never came.")
        yield Evidence("server_restarted", 10, say(reason))
        yield Evidence("killed", 10, say(reason))


def idle_behind_tls(facts: Facts) -> Iterator[Evidence]:
    """Over TLS, its default, PyMySQL meets the server's goodbye as an end of the stream."""
    at_work = facts.step in (Step.FETCH, Step.COMMIT, Step.AFTER_COMMIT, Step.SAVEPOINT)
    if facts.code == 2013 and facts.driver == "PyMySQL" and not facts.details and not at_work:
        reason = N_("PyMySQL over TLS says 2013, not 2006, of a session that was ended while idle.")
        yield Evidence("idle_timeout", 8, say(reason))


def forked_process(facts: Facts) -> Iterator[Evidence]:
    """A child has its parent's connections until somebody closes them."""
    if Context.PROCESS in facts.contexts and (facts.code in LOST or facts.code in (None, 2014)):
        reason = say(
            N_("It happened in a child process, which inherits its parent's open connections.")
        )
        yield Evidence("shared_after_fork", 45, reason)


def pool_of_processes(facts: Facts) -> Iterator[Evidence]:
    """Celery's prefork pool and its like fork children from a parent that may have connected."""
    if facts.forked and (facts.code in LOST or facts.code in (None, 2014)):
        reason = N_("Its process is a fork of a pool's parent, which may have had it open already.")
        # A child that ends says goodbye for all: those who are waiting then see 2013.
        yield Evidence("shared_after_fork", 20 if facts.code == 2013 else 12, say(reason))


def just_answered(facts: Facts) -> Iterator[Evidence]:
    """COMMIT's answer is microseconds old when autocommit is switched on again."""
    if facts.code in LOST and facts.step is Step.AFTER_COMMIT:
        reason = N_("The server had answered a moment before, so the session was not idle.")
        yield Evidence("idle_timeout", -40, say(reason))
    elif facts.code in LOST and facts.step in (Step.COMMIT, Step.SAVEPOINT):
        reason = N_("A transaction was under way, so the session was hardly idle for long.")
        yield Evidence("idle_timeout", -8, say(reason))


def greenlets(facts: Facts) -> Iterator[Evidence]:
    """Every greenlet has a connection of its own with the stock engine."""
    if Context.GEVENT in facts.contexts and facts.code in (1040, 1203, 1226):
        reason = N_(
            "Under gevent every request is a new greenlet, and with the stock engine each opens a "
            "connection of its own; with CONN_MAX_AGE nobody closes it."
        )
        yield Evidence(
            "too_many_connections" if facts.code == 1040 else "user_limit", 10, say(reason)
        )


def broken_into(facts: Facts) -> Iterator[Evidence]:
    """The exception that stopped the query is in the same traceback."""
    if facts.interrupted_by:
        reason = say(
            N_("{exception} was raised in the middle of the query."),
            exception=facts.interrupted_by,
        )
        yield Evidence("interrupted", 85, reason)


def in_tests(facts: Facts) -> Iterator[Evidence]:
    """Tests close connections on purpose, in other threads too."""
    if Context.TEST in facts.contexts and facts.code in LOST:
        reason = N_("In a test run connections are closed behind one another's back.")
        yield Evidence("closed_by_application", 25, say(reason))


def dead_handle(facts: Facts) -> Iterator[Evidence]:
    """Stock Django keeps a dead handle outside requests, so one loss is told many times."""
    if facts.follows is not None and facts.code in (0, 2006):
        reason = say(
            N_(
                "The same process had lost its connection shortly before (error {earlier}): "
                "outside requests stock Django keeps the dead handle, so every further query fails."
            ),
            earlier=facts.follows,
        )
        yield Evidence("idle_timeout", 15, reason)
        yield Evidence("closed_by_application", -25, reason)
        yield Evidence("packet_too_large", -10)


RULES = (
    beginning_of_a_transaction,
    first_query_of_a_request,
    outside_requests,
    web_request,
    small_statement,
    many_rows_at_once,
    names_of_large_things,
    while_rows_were_read,
    waiting_for_an_answer,
    idle_behind_tls,
    forked_process,
    pool_of_processes,
    just_answered,
    greenlets,
    broken_into,
    in_tests,
    dead_handle,
)
