"""Every rule, alone: what it says of facts that are its business, and that it is silent else."""

from __future__ import annotations

import pytest

from django_lifeline import exceptions
from django_lifeline.diagnosis.causes import CAUSES
from django_lifeline.diagnosis.explain import ours
from django_lifeline.diagnosis.explain.facts import Facts
from django_lifeline.diagnosis.explain.rules import moments, numbers, places, ranking
from django_lifeline.diagnosis.explain.rules.evidence import Rule
from django_lifeline.diagnosis.explain.rules.ranking import Confidence, verdict_on
from django_lifeline.diagnosis.explain.serverlog import Event
from django_lifeline.diagnosis.explain.stack import Context, Step

UP, DOWN = "for", "against"
HOUR = 3600.0


def facts(**known: object) -> Facts:
    """Return facts of a 2006 that is known no further, but for what is given."""
    return Facts(**({"code": 2006} | known))  # type: ignore[arg-type]


def in_context(*contexts: Context) -> frozenset[Context]:
    return frozenset(contexts)


CASES: list[tuple[Rule, Facts, str, str]] = [
    (numbers.number_decides, facts(code=4031), "idle_timeout", UP),
    (numbers.number_decides, facts(code=1040), "too_many_connections", UP),
    (numbers.number_decides, facts(code=1203), "user_limit", UP),
    (numbers.number_decides, facts(code=1226), "user_limit", UP),
    (numbers.number_decides, facts(code=1129), "host_blocked", UP),
    (numbers.number_decides, facts(code=1130), "host_blocked", UP),
    (numbers.number_decides, facts(code=1153), "packet_too_large", UP),
    (numbers.number_decides, facts(code=1053), "server_restarted", UP),
    (numbers.number_decides, facts(code=1927), "killed", UP),
    (numbers.number_decides, facts(code=3169), "killed", UP),
    (numbers.number_decides, facts(code=1290), "read_only", UP),
    (numbers.number_decides, facts(code=2026), "tls_failure", UP),
    (numbers.number_decides, facts(code=2005), "name_unknown", UP),
    (numbers.number_decides, facts(code=1045), "access_denied", UP),
    (numbers.number_decides, facts(code=1044), "access_denied", UP),
    (numbers.number_decides, facts(code=1698), "access_denied", UP),
    (numbers.number_decides, facts(code=1049), "unknown_database", UP),
    (numbers.number_decides, facts(code=9001), "proxy_without_server", UP),
    (numbers.number_decides, facts(code=1161), "slow_reader", UP),
    (numbers.number_decides, facts(code=51901), "pool_exhausted", UP),
    (numbers.number_allows, facts(), "idle_timeout", UP),
    (numbers.number_allows, facts(code=2014), "out_of_sync", UP),
    (numbers.number_allows, facts(code=None), "shared_after_fork", UP),
    (numbers.number_allows, facts(code=None), "packet_too_large", UP),
    (numbers.number_allows, facts(code=2002), "socket_missing", UP),
    (numbers.number_allows, facts(code=2003), "connection_refused", UP),
    (
        numbers.inactivity_is_said,
        facts(code=2013, details=frozenset({"inactivity"})),
        "idle_timeout",
        UP,
    ),
    (
        numbers.failed_while_connecting,
        facts(code=2013, details=frozenset({"connecting"})),
        "unreachable",
        UP,
    ),
    (
        numbers.failed_while_connecting,
        facts(code=2013, details=frozenset({"connecting"})),
        "idle_timeout",
        DOWN,
    ),
    (
        numbers.driver_waited_too_long,
        facts(code=2013, details=frozenset({"timed_out"})),
        "client_timeout",
        UP,
    ),
    *(
        (numbers.why_not_reached, facts(code=code, details=frozenset({detail})), cause, UP)
        for code in (2002, 2003)
        for detail, cause in (
            ("no_socket", "socket_missing"),
            ("no_name", "name_unknown"),
            ("refused", "connection_refused"),
            ("in_progress", "connection_refused"),
            ("timed_out", "unreachable"),
            ("no_answer", "unreachable"),
            ("no_route", "unreachable"),
            ("tls", "tls_failure"),
        )
    ),
    (numbers.node_is_alone, facts(code=1047), "failover", UP),
    (numbers.node_is_alone, facts(code=1180), "failover", UP),
    (numbers.member_left_the_group, facts(code=3100), "failover", UP),
    (numbers.member_left_the_group, facts(code=3101), "failover", UP),
    (
        numbers.no_password_was_sent,
        facts(code=1045, details=frozenset({"no_password"})),
        "access_denied",
        UP,
    ),
    (numbers.tcp_gave_up, facts(code=2013, details=frozenset({"no_answer"})), "half_open", UP),
    (
        numbers.nobody_listened,
        facts(code=2003, details=frozenset({"refused"})),
        "server_restarted",
        UP,
    ),
    (numbers.closed_here, facts(details=frozenset({"empty"})), "closed_by_application", UP),
    (numbers.closed_here, facts(code=0), "closed_by_application", UP),
    (numbers.engine_said, facts(told=("killed", "certain")), "killed", UP),
    (
        numbers.answers_mixed_up,
        facts(code=2014, contexts=in_context(Context.THREAD)),
        "shared_between_threads",
        UP,
    ),
    (
        numbers.answers_mixed_up,
        facts(code=2027, contexts=in_context(Context.PROCESS)),
        "shared_after_fork",
        UP,
    ),
    (
        numbers.answers_mixed_up,
        facts(code=2014, contexts=in_context(Context.GEVENT)),
        "interrupted",
        UP,
    ),
    (
        numbers.answers_mixed_up,
        facts(code=2014, forked=True),
        "shared_after_fork",
        UP,
    ),
    (
        numbers.answers_mixed_up,
        facts(code=None, step=Step.WRITE, details=frozenset({"sequence"})),
        "packet_too_large",
        UP,
    ),
    (places.names_of_large_things, facts(step=Step.WRITE, large=True), "packet_too_large", UP),
    (places.pool_of_processes, facts(forked=True), "shared_after_fork", UP),
    (places.outside_requests, facts(contexts=in_context(Context.JOB)), "idle_timeout", UP),
    (places.beginning_of_a_transaction, facts(step=Step.BEGIN), "idle_timeout", UP),
    (places.first_query_of_a_request, facts(first_query=True), "idle_timeout", UP),
    (places.outside_requests, facts(contexts=in_context(Context.RPC)), "idle_timeout", UP),
    (places.web_request, facts(contexts=in_context(Context.WEB)), "idle_timeout", UP),
    (places.small_statement, facts(step=Step.BEGIN), "packet_too_large", DOWN),
    (places.small_statement, facts(step=Step.READ), "packet_too_large", DOWN),
    (places.many_rows_at_once, facts(step=Step.BULK), "packet_too_large", UP),
    (places.many_rows_at_once, facts(step=Step.WRITE), "packet_too_large", UP),
    (places.while_rows_were_read, facts(step=Step.FETCH), "slow_reader", UP),
    (places.while_rows_were_read, facts(step=Step.FETCH), "idle_timeout", DOWN),
    (places.waiting_for_an_answer, facts(code=2013, step=Step.WRITE), "killed", UP),
    (places.idle_behind_tls, facts(code=2013, driver="PyMySQL"), "idle_timeout", UP),
    (places.forked_process, facts(contexts=in_context(Context.PROCESS)), "shared_after_fork", UP),
    (places.just_answered, facts(step=Step.AFTER_COMMIT), "idle_timeout", DOWN),
    (places.just_answered, facts(step=Step.COMMIT), "idle_timeout", DOWN),
    (
        places.greenlets,
        facts(code=1040, contexts=in_context(Context.GEVENT)),
        "too_many_connections",
        UP,
    ),
    (places.broken_into, facts(code=2014, interrupted_by="GreenletExit"), "interrupted", UP),
    (places.in_tests, facts(contexts=in_context(Context.TEST)), "closed_by_application", UP),
    (places.dead_handle, facts(code=0, follows=2013), "closed_by_application", DOWN),
    (places.dead_handle, facts(follows=2013), "idle_timeout", UP),
    (
        moments.pause_against_wait_timeout,
        facts(longest_pause=61.0, pauses=1, variables={"wait_timeout": 60}),
        "idle_timeout",
        UP,
    ),
    (
        moments.pause_against_wait_timeout,
        facts(longest_pause=9 * HOUR, pauses=1),
        "idle_timeout",
        UP,
    ),
    (
        moments.pause_against_wait_timeout,
        facts(longest_pause=20.0, pauses=1, variables={"wait_timeout": 60}),
        "idle_timeout",
        DOWN,
    ),
    (moments.pause_against_wait_timeout, facts(longest_pause=900.0, pauses=1), "network_cut", UP),
    (
        moments.the_same_pause_each_time,
        facts(shortest_pause=350.0, longest_pause=360.0, pauses=4),
        "network_cut",
        UP,
    ),
    (moments.wait_timeout_is_known, facts(variables={"wait_timeout": 30}), "idle_timeout", UP),
    (
        moments.packet_limit_is_known,
        facts(variables={"max_allowed_packet": 1 << 30}),
        "packet_too_large",
        DOWN,
    ),
    (
        moments.packet_limit_is_known,
        facts(step=Step.BULK, variables={"max_allowed_packet": 1 << 20}),
        "packet_too_large",
        UP,
    ),
    (moments.many_processes_at_once, facts(at_once=4, processes=4), "server_restarted", UP),
    (moments.many_processes_at_once, facts(at_once=4, processes=4), "idle_timeout", DOWN),
    (moments.one_at_a_time, facts(count=5, processes=3), "server_restarted", DOWN),
    (moments.refused_soon_after, facts(refused_near=True), "server_restarted", UP),
    (
        moments.server_log_tells,
        facts(events=frozenset({Event.ABORTED_IDLE})),
        "idle_timeout",
        UP,
    ),
    (
        moments.server_log_tells,
        facts(events=frozenset({Event.ABORTED_SENDING})),
        "slow_reader",
        UP,
    ),
    (
        moments.server_log_tells,
        facts(events=frozenset({Event.BIG_PACKET})),
        "packet_too_large",
        UP,
    ),
    (moments.server_log_tells, facts(events=frozenset({Event.KILLED})), "killed", UP),
    (moments.server_log_tells, facts(events=frozenset({Event.CRASHED})), "server_restarted", UP),
    (moments.server_was_up, facts(up_since=HOUR), "server_restarted", DOWN),
    (moments.server_was_up, facts(up_since=-5.0), "server_restarted", UP),
    (
        moments.net_write_timeout_is_known,
        facts(step=Step.FETCH, variables={"net_write_timeout": 60}),
        "slow_reader",
        UP,
    ),
    (
        moments.no_connection_left,
        facts(code=1040, variables={"max_connections": 151}),
        "too_many_connections",
        UP,
    ),
    (
        moments.aborted_sessions_counted,
        facts(variables={"Aborted_clients": 40}),
        "idle_timeout",
        UP,
    ),
    (
        moments.health_check_failed,
        facts(contexts=in_context(Context.HEALTH)),
        "idle_timeout",
        DOWN,
    ),
]


@pytest.mark.parametrize(
    ("rule", "known", "cause", "side"), CASES, ids=lambda value: getattr(value, "__name__", None)
)
def test_rule_speaks_for_or_against_its_cause(
    rule: Rule, known: Facts, cause: str, side: str
) -> None:
    weights = [evidence.weight for evidence in rule(known) if evidence.cause == cause]
    assert weights
    assert all((weight > 0) == (side == UP) for weight in weights)


def test_own_numbers_are_those_of_the_exceptions() -> None:
    raised = {name: value for name, value in vars(exceptions).items() if name.startswith("POOL_")}
    assert raised == {name: value for name, value in vars(ours).items() if name.startswith("POOL_")}
    assert all(issubclass(getattr(exceptions, name), Exception) for name in ours.NAMES.values())


def test_own_numbers_are_those_that_mysql_leaves_to_third_parties() -> None:
    assert all(50000 <= number <= 51999 for number in ours.NAMES)


def test_every_rule_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(ranking.RULES)


@pytest.mark.parametrize("rule", ranking.RULES, ids=lambda rule: rule.__name__)
def test_rule_is_silent_about_errors_that_are_no_losses(rule: Rule) -> None:
    everything = facts(
        code=1205,
        step=Step.BULK,
        details=frozenset({"refused", "no_socket", "timed_out", "no_password"}),
        forked=True,
        large=True,
        first_query=True,
        contexts=frozenset(Context),
        at_once=9,
        count=9,
        processes=9,
        shortest_pause=40.0,
        longest_pause=41.0,
        pauses=9,
        follows=2013,
        refused_near=True,
        events=frozenset(Event),
        variables={"wait_timeout": 30, "max_allowed_packet": 1, "net_write_timeout": 1},
        up_since=HOUR,
    )
    assert list(rule(everything)) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0].__name__)
def test_rules_name_causes_of_the_catalogue(case: tuple[Rule, Facts, str, str]) -> None:
    assert {evidence.cause for evidence in case[0](case[1])} <= set(CAUSES)


def test_a_bare_2013_is_left_open_and_says_what_would_settle_it() -> None:
    verdict = verdict_on(facts(code=2013))
    assert verdict.confidence is Confidence.OPEN
    assert len(verdict.open_between) > 1
    assert all(ranked.cause.settle for ranked in verdict.open_between)


def test_a_number_that_says_it_all_is_certain() -> None:
    verdict = verdict_on(facts(code=1040))
    assert verdict.confidence is Confidence.CERTAIN
    assert [ranked.cause.name for ranked in verdict.causes] == ["too_many_connections"]


def test_a_gibibyte_rules_the_packet_out_with_the_number() -> None:
    verdict = verdict_on(facts(variables={"max_allowed_packet": 1 << 30, "wait_timeout": 28800}))
    assert [ranked.cause.name for ranked in verdict.ruled_out] == ["packet_too_large"]
    assert verdict.causes[0].cause.name == "idle_timeout"


def test_the_servers_uptime_outweighs_workers_that_failed_together() -> None:
    known = facts(code=2013, at_once=4, processes=4, up_since=90 * HOUR)
    assert "server_restarted" not in [r.cause.name for r in verdict_on(known).causes]


def test_equal_facts_give_equal_verdicts() -> None:
    known = facts(code=2013, step=Step.WRITE, contexts=frozenset(Context))
    assert verdict_on(known) == verdict_on(known)
