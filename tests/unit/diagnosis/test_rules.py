"""Each rule by itself, and the order in which they decide."""

from __future__ import annotations

import dataclasses
import errno
from typing import Any

import pytest

from django_lifeline.core.liveness import Sight, SightKind, TcpFacts
from django_lifeline.core.retry import Label
from django_lifeline.diagnosis import rules
from django_lifeline.diagnosis.causes import CAUSES
from django_lifeline.diagnosis.facts import Limits, LossFacts, Phase, ServerNow, Successor
from django_lifeline.diagnosis.loss import diagnose
from django_lifeline.diagnosis.model import Confidence

CERTAIN, LIKELY, UNDECIDED = Confidence.CERTAIN, Confidence.LIKELY, Confidence.UNDECIDED

LIMITS = Limits(
    wait_timeout=28800,
    global_wait_timeout=28800,
    interactive_timeout=28800,
    net_write_timeout=60,
    max_allowed_packet=1 << 24,
)


def tcp(state: str = "CLOSE_WAIT", **changes: Any) -> TcpFacts:
    """What the kernel knows 300 s after the last exchange, the other side's FIN 200 s ago."""
    known = {"last_sent": 300.0, "last_received": 300.0, "last_acked": 270.0, **changes}
    return TcpFacts(state=state, **known)


FIN = Sight(SightKind.CLOSED, 0x2001, tcp=tcp())
RESET = Sight(SightKind.CLOSED, 0x2019, errno=errno.ECONNRESET, tcp=tcp("CLOSE", last_acked=300.0))
IDLE = LossFacts(
    label=Label.NOT_EXECUTED,
    phase=Phase.BEFORE,
    idle=300.0,
    age=400.0,
    limits=LIMITS,
    server_thread_id=170,
)
CLOSED = dataclasses.replace(IDLE, sight=FIN, tcp=FIN.tcp)
CUT = dataclasses.replace(IDLE, sight=RESET, tcp=RESET.tcp)
SENT = dataclasses.replace(
    IDLE,
    phase=Phase.IN_FLIGHT,
    code=2013,
    elapsed=2.0,
    tcp=tcp(last_sent=2.0, last_received=9.0, last_acked=1.9),
)
UP = Successor(server_thread_id=175)
OPEN = tcp("ESTABLISHED", last_sent=2.0, last_received=9.0, last_acked=1.9)


def changed(facts: LossFacts, **changes: Any) -> LossFacts:
    return dataclasses.replace(facts, **changes)


def named(facts: LossFacts) -> tuple[str, Confidence, tuple[str, ...]]:
    found = diagnose(facts)
    return found.cause, found.confidence, found.alternatives


def test_every_cause_that_a_rule_can_name_is_in_the_catalogue() -> None:
    source = rules.__file__
    with open(source) as file:
        text = file.read()
    for rule in rules.RULES:
        assert rule.__doc__, rule
    for name in ("killed", "network_cut", "idle_timeout", "half_open", "slow_reader"):
        assert f'"{name}"' in text and name in CAUSES


# What the program itself did


def test_connection_of_another_process_is_a_fork() -> None:
    assert named(changed(CLOSED, forked=True, code=4031)) == ("shared_after_fork", CERTAIN, ())


def test_data_that_somebody_else_sent_on_the_socket_is_a_fork() -> None:
    facts = changed(CLOSED, sent_by_another=True, through_proxy=False, successor=UP)
    assert named(facts) == ("shared_after_fork", LIKELY, ())
    given_out = changed(facts, exposed=True)
    assert named(given_out) == ("killed", UNDECIDED, ("shared_after_fork",))


def test_child_that_has_the_socket_makes_what_another_sent_certain() -> None:
    facts = changed(CLOSED, sent_by_another=True, sharers=(77,), successor=UP)
    found = diagnose(facts)
    assert (found.cause, found.confidence) == ("shared_after_fork", CERTAIN)
    assert "77" in found.because and found.evidence["shared_with_processes"] == "77"


def test_unix_socket_that_the_driver_has_closed_in_a_child_was_ended_by_that_child() -> None:
    on_a_socket = changed(CLOSED, tcp=None, through_proxy=False, sharers=(77,), closed_in=(77,))
    assert named(changed(on_a_socket, successor=UP)) == ("shared_after_fork", LIKELY, ())
    restarted = ("shared_after_fork", UNDECIDED, ("server_restarted",))
    assert named(on_a_socket) == restarted


def test_child_that_merely_has_the_unix_socket_leaves_it_open() -> None:
    facts = changed(CLOSED, tcp=None, through_proxy=False, sharers=(77,), successor=UP)
    assert named(facts)[:2] == ("killed", UNDECIDED)
    assert "shared_after_fork" in named(facts)[2]


def test_child_that_has_the_socket_is_no_reason_where_the_kernel_saw_nothing_sent() -> None:
    facts = changed(CLOSED, through_proxy=False, sharers=(77,), closed_in=(77,), successor=UP)
    assert named(facts) == ("killed", LIKELY, ())


def test_doubt_about_a_fork_is_told() -> None:
    facts = changed(CLOSED, tcp=None, through_proxy=False, fork_in_doubt=True, successor=UP)
    assert named(facts) == ("killed", UNDECIDED, ("shared_after_fork", "closed_by_application"))


@pytest.mark.parametrize(
    "sign", [{"code": 1156}, {"code": 2027}, {"driver_cause": "SSL: bad record mac"}]
)
def test_nonsense_on_a_socket_that_a_child_has_too_is_sharing(sign: dict[str, Any]) -> None:
    assert named(changed(SENT, sharers=(77,), **sign)) == ("shared_after_fork", LIKELY, ())


def test_libmariadb_that_gives_up_early_over_tls_met_a_signal() -> None:
    early = changed(SENT, code=2026, tls=True, tcp=OPEN, read_timeout=12.0, elapsed=0.5)
    assert named(early) == ("interrupted", LIKELY, ())
    late = changed(early, elapsed=12.0)
    assert named(late)[0] == "client_timeout"
    assert named(changed(early, driver_tells=True))[0] == "client_timeout"


@pytest.mark.parametrize("sign", [{"shared_with": "B"}, {"ended_for": "shared_between_threads"}])
def test_another_threads_exchange_is_sharing(sign: dict[str, Any]) -> None:
    found = diagnose(changed(SENT, used_by="A", **sign))
    assert (found.cause, found.confidence) == ("shared_between_threads", CERTAIN)
    assert "'A'" in found.because


def test_connection_that_the_pool_recalled_tells_of_too_small_a_pool() -> None:
    assert named(changed(IDLE, ended_for="pool_exhausted")) == ("pool_exhausted", CERTAIN, ())


def test_exception_in_the_middle_is_an_interruption() -> None:
    found = diagnose(changed(SENT, interrupted_by="SoftTimeLimitExceeded", code=None))
    assert (found.cause, found.confidence) == ("interrupted", CERTAIN)
    assert "SoftTimeLimitExceeded" in found.because


def test_exchange_that_was_broken_off_is_an_interruption() -> None:
    assert named(changed(IDLE, ended_for="interrupted"))[0] == "interrupted"


@pytest.mark.parametrize("code", [2014, 1156])
def test_servers_or_drivers_word_is_out_of_sync(code: int) -> None:
    assert named(changed(SENT, code=code)) == ("out_of_sync", CERTAIN, ())


def test_unread_answer_is_out_of_sync() -> None:
    assert named(changed(IDLE, unread=True)) == ("out_of_sync", CERTAIN, ())


def test_garbage_may_also_be_another_processs_answer() -> None:
    assert named(changed(SENT, code=2027)) == ("out_of_sync", LIKELY, ("shared_after_fork",))
    data = Sight(SightKind.DATA, 1)
    assert named(changed(IDLE, sight=data))[2] == ("shared_after_fork",)


def test_driver_that_is_closed_was_closed_here() -> None:
    assert named(changed(IDLE, closed_here=True)) == ("closed_by_application", CERTAIN, ())


# What the server said


@pytest.mark.parametrize(
    ("code", "cause"),
    [(1927, "killed"), (3169, "killed"), (1161, "slow_reader"), (1153, "packet_too_large")]
    + [(2020, "packet_too_large"), (4031, "idle_timeout")],
)
def test_number_that_says_it_is_believed(code: int, cause: str) -> None:
    assert named(changed(SENT, code=code)) == (cause, CERTAIN, ())


def test_packet_over_the_limit_is_too_large_whatever_the_number() -> None:
    found = diagnose(changed(SENT, code=2006, bytes_sent=(1 << 24) + 1))
    assert (found.cause, found.confidence) == ("packet_too_large", CERTAIN)
    assert "16777217" in found.because and "16777216" in found.because


def test_limit_that_was_lowered_meanwhile_counts() -> None:
    now = ServerNow(uptime=1e6, max_allowed_packet=65536)
    found = diagnose(changed(SENT, code=2013, bytes_sent=70000, server=now))
    assert (found.cause, found.confidence) == ("packet_too_large", CERTAIN)


def test_large_statement_may_have_been_too_large_where_nobody_was_asked() -> None:
    assert "packet_too_large" in named(changed(SENT, bytes_sent=70000))[2]
    assert "packet_too_large" not in named(changed(SENT, bytes_sent=700))[2]


@pytest.mark.parametrize("size", [0, 100, 1 << 24])
def test_packet_within_the_limit_is_not_too_large(size: int) -> None:
    assert named(changed(SENT, code=2006, bytes_sent=size))[0] != "packet_too_large"


def test_large_packet_of_before_says_nothing_about_an_idle_loss() -> None:
    assert named(changed(CLOSED, bytes_sent=1 << 25))[0] != "packet_too_large"


# Idle timeouts


def test_number_4031_is_certain_and_says_by_how_much() -> None:
    goodbye = Sight(SightKind.GOODBYE, 0x2001, 4031)
    kernel = tcp(last_received=270.0, last_acked=270.0)
    limits = dataclasses.replace(LIMITS, wait_timeout=30, global_wait_timeout=30)
    found = diagnose(
        changed(IDLE, code=4031, sight=goodbye, tcp=kernel, limits=limits),
    )
    assert (found.cause, found.confidence) == ("idle_timeout", CERTAIN)
    assert "idle for 300.0 s, ended after 30.0 s" in found.because
    assert "30 s (global wait_timeout), 270.0 s less" in found.because


@pytest.mark.parametrize(
    ("record", "limit", "expected"),
    [
        (166, 30.0, ("idle_timeout", CERTAIN)),
        (166, 500.0, ("idle_timeout", LIKELY)),
        (19, 30.0, ("killed", UNDECIDED)),
    ],
)
def test_encrypted_goodbye_is_longer_than_tls_own(
    record: int, limit: float, expected: tuple[str, Confidence]
) -> None:
    kernel = tcp(last_received=270.0, last_acked=270.0)
    sight = Sight(SightKind.CLOSED, 0x2001, encrypted=True, record=record, tcp=kernel)
    limits = dataclasses.replace(LIMITS, wait_timeout=limit)
    facts = changed(IDLE, sight=sight, tcp=kernel, limits=limits, tls=True)
    assert named(facts)[:2] == expected


@pytest.mark.parametrize(
    ("idle", "limit", "through_proxy", "expected"),
    [
        (31.0, 30.0, False, ("idle_timeout", LIKELY)),
        (31.0, 30.0, True, ("idle_timeout", UNDECIDED)),
        (28.6, 30.0, False, ("network_cut", UNDECIDED)),
    ],
)
def test_reset_of_mariadb_at_its_limit_is_the_idle_timeout(
    idle: float, limit: float, through_proxy: bool, expected: tuple[str, Confidence]
) -> None:
    kernel = tcp("CLOSE", last_sent=idle, last_received=idle, last_acked=idle)
    facts = changed(CUT, idle=idle, own_wait_timeout=limit, tcp=kernel, mariadb=True)
    assert named(changed(facts, through_proxy=through_proxy))[:2] == expected


@pytest.mark.parametrize("limit", [29.0, 31.0, 200.0])
def test_close_beside_the_limit_is_no_idle_timeout_however_late_it_is_noticed(limit: float) -> None:
    limits = dataclasses.replace(LIMITS, wait_timeout=limit)
    facts = changed(CLOSED, limits=limits, through_proxy=False, successor=UP, mariadb=True)
    assert named(facts)[0] == "killed"


def test_close_at_the_limit_behind_a_proxy_is_the_idle_timeout_of_mariadb() -> None:
    limits = dataclasses.replace(LIMITS, wait_timeout=30)
    facts = changed(CLOSED, limits=limits, through_proxy=True, mariadb=True)
    assert named(facts)[:2] == ("idle_timeout", LIKELY)
    assert named(changed(facts, mariadb=False))[0] == "network_cut"


def test_without_the_kernels_word_the_times_only_suggest() -> None:
    limits = dataclasses.replace(LIMITS, wait_timeout=30)
    facts = changed(IDLE, limits=limits, sight=Sight(SightKind.CLOSED), mariadb=True)
    assert named(facts) == ("idle_timeout", UNDECIDED, ("network_cut", "killed"))


def test_long_statement_is_not_idle() -> None:
    assert named(changed(SENT, idle=30000.0))[0] != "idle_timeout"


def test_limit_that_was_lowered_meanwhile_is_one_that_may_have_counted() -> None:
    now = ServerNow(uptime=1e6, wait_timeout=30)
    facts = changed(CUT, mariadb=True, through_proxy=True, server=now)
    assert named(facts)[0] == "idle_timeout"
    assert "lowered since" in diagnose(facts).because
    assert named(changed(facts, own_wait_timeout=900.0))[0] == "network_cut"


@pytest.mark.parametrize(
    ("changes", "limits", "name"),
    [
        ({}, {}, "global wait_timeout"),
        ({}, {"wait_timeout": 7}, "session wait_timeout; the global one is 28800 s"),
        ({}, {"global_wait_timeout": None}, "session wait_timeout"),
        ({"own_wait_timeout": 3.0}, {}, "session wait_timeout, set by the application"),
        (
            {"interactive": True},
            {"wait_timeout": 50, "interactive_timeout": 50},
            "global interactive_timeout, since the client calls itself interactive",
        ),
    ],
)
def test_limit_is_called_by_the_variable_that_it_comes_from(
    changes: dict[str, Any], limits: dict[str, Any], name: str
) -> None:
    facts = changed(IDLE, limits=dataclasses.replace(LIMITS, **limits), **changes)
    assert rules.limit_name(facts) == name


# What became of the server


def test_server_younger_than_the_connection_was_restarted() -> None:
    found = diagnose(changed(CLOSED, server=ServerNow(uptime=12.0)))
    assert (found.cause, found.confidence) == ("server_restarted", CERTAIN)
    assert "12 s" in found.because and "400.0 s" in found.because


def test_server_older_than_the_connection_was_not() -> None:
    facts = changed(CLOSED, server=ServerNow(uptime=400.0), through_proxy=False)
    assert named(facts) == ("killed", LIKELY, ())


def test_uptime_in_whole_seconds_may_not_decide() -> None:
    facts = changed(CLOSED, server=ServerNow(uptime=399.0), through_proxy=False)
    assert named(facts) == ("killed", UNDECIDED, ("server_restarted",))


def test_small_session_numbers_do_not_prove_that_a_server_stayed_up() -> None:
    facts = changed(CLOSED, server_thread_id=9, through_proxy=False)
    facts = changed(facts, successor=Successor(server_thread_id=12))
    assert named(facts) == ("killed", UNDECIDED, ("server_restarted",))
    moments_ago = tcp(last_acked=0.05)
    assert named(changed(facts, tcp=moments_ago)) == ("killed", LIKELY, ())


def test_other_server_at_the_address_leaves_it_open() -> None:
    facts = changed(CLOSED, server=ServerNow(uptime=1e6, same_server=False))
    assert named(facts) == ("server_restarted", UNDECIDED, ("network_cut",))


def test_session_numbers_that_begin_anew_tell_of_a_restart() -> None:
    facts = changed(CLOSED, successor=Successor(server_thread_id=9))
    assert named(facts)[:2] == ("server_restarted", LIKELY)


def test_numbers_that_are_not_known_tell_of_no_restart() -> None:
    facts = changed(CLOSED, successor=Successor(server_thread_id=0))
    assert named(facts)[0] != "server_restarted"


def test_older_connection_that_lives_tells_of_no_restart() -> None:
    beside = Successor(server_thread_id=9, older=True)
    assert named(changed(CLOSED, successor=beside, through_proxy=False))[:2] == ("killed", LIKELY)


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (12, ("killed", UNDECIDED, ("server_restarted",))),  # opened beside each other
        (982, ("server_restarted", LIKELY, ())),  # a small server was back within 0.1 s
    ],
)
def test_numbers_of_sessions_opened_within_a_moment(lost: int, expected: Any) -> None:
    soon = Successor(server_thread_id=5, at_once=True)
    facts = changed(CLOSED, server_thread_id=lost, successor=soon, through_proxy=False)
    assert named(facts) == expected


def test_server_that_is_away_right_afterwards_was_probably_stopped() -> None:
    facts = changed(SENT, unreachable_with=2003)
    assert named(facts) == ("server_restarted", LIKELY, ("network_cut",))
    # Nobody ended this one.
    frozen = changed(facts, tcp=OPEN)
    assert named(frozen) == ("half_open", UNDECIDED, ("client_timeout",))


def test_number_1053_is_a_shutdown_unless_the_server_stayed_up() -> None:
    assert named(changed(SENT, code=1053)) == ("server_restarted", UNDECIDED, ("killed",))
    assert named(changed(SENT, code=1053, successor=UP)) == ("killed", LIKELY, ())
    down = ServerNow(uptime=1.0)
    assert named(changed(SENT, code=1053, server=down)) == ("server_restarted", CERTAIN, ())


# What the kernel and the driver saw


@pytest.mark.parametrize(
    ("driver_cause", "cause"),
    [("SSLError", "tls_failure"), ("SSLEOFError", "killed"), ("SSLZeroReturnError", "killed")],
)
def test_tls_error_is_told_from_an_end_of_file(driver_cause: str, cause: str) -> None:
    facts = changed(SENT, driver_cause=driver_cause, through_proxy=False)
    assert named(facts)[0] == cause


def test_unanswered_keepalive_is_half_open() -> None:
    sight = Sight(SightKind.CLOSED, 0x2019, errno=errno.ETIMEDOUT)
    assert named(changed(IDLE, sight=sight)) == ("half_open", CERTAIN, ())


def test_unanswered_ping_may_be_half_open() -> None:
    sight = Sight(SightKind.DATA, 1, encrypted=True, record=200)
    facts = changed(IDLE, sight=sight, mariadb=True)
    assert named(facts) == ("half_open", UNDECIDED, ("network_cut", "killed"))


@pytest.mark.parametrize(
    "unheard",
    [
        tcp("ESTABLISHED", last_sent=5.0, last_acked=9.0, unacked=1),
        tcp("CLOSE", last_sent=5.0, last_acked=9.0, retransmits=3),
    ],
)
def test_sent_and_never_confirmed_is_half_open(unheard: TcpFacts) -> None:
    facts = changed(SENT, elapsed=5.0, tcp=unheard, read_timeout=5.0)
    assert named(facts)[:2] == ("half_open", CERTAIN)


@pytest.mark.parametrize("name", ["ETIMEDOUT", "EHOSTUNREACH"])
def test_driver_that_tells_of_tcp_giving_up_is_half_open(name: str) -> None:
    assert named(changed(SENT, driver_cause=name)) == ("half_open", CERTAIN, ())


@pytest.mark.parametrize(
    "changes", [{"read_timeout": 2.0}, {}, {"driver_cause": "TimeoutError", "tcp": None}]
)
def test_open_connection_was_given_up_by_the_driver(changes: dict[str, Any]) -> None:
    found = named(changed(SENT, **{"tcp": OPEN, **changes}))
    assert found[:2] == ("client_timeout", UNDECIDED)


@pytest.mark.parametrize(
    ("doing", "expected"),
    [
        ("query", ("client_timeout", CERTAIN, ())),
        ("sleep", ("half_open", UNDECIDED, ("client_timeout",))),
        ("gone", ("client_timeout", UNDECIDED, ("half_open",))),
    ],
)
def test_what_the_session_does_decides_why_the_driver_waited(
    doing: str, expected: tuple[str, Confidence, tuple[str, ...]]
) -> None:
    now = ServerNow(uptime=1e6, lost_session=doing)
    assert named(changed(SENT, tcp=OPEN, read_timeout=2.0, server=now)) == expected


def test_on_a_unix_socket_only_the_duration_tells_of_a_timeout() -> None:
    facts = changed(SENT, tcp=None, elapsed=3.0, through_proxy=False)
    found = named(changed(facts, read_timeout=3.0))
    assert found == ("client_timeout", UNDECIDED, ("killed", "server_restarted"))
    assert named(changed(facts, read_timeout=9.0))[0] == "killed"


@pytest.mark.parametrize(("pause", "cause"), [(61.0, "slow_reader"), (10.0, "killed")])
def test_long_pause_between_rows_is_a_slow_reader(pause: float, cause: str) -> None:
    facts = changed(SENT, phase=Phase.READING, pause=pause, elapsed=90.0, through_proxy=False)
    assert named(facts)[0] == cause


# What is left


def test_reset_without_anything_in_between_stays_open() -> None:
    facts = changed(CUT, through_proxy=False, successor=UP)
    assert named(facts) == ("network_cut", UNDECIDED, ())
    assert named(changed(facts, mariadb=True))[2] == ("idle_timeout",)


def test_reset_of_an_idle_connection_behind_a_proxy_was_the_network() -> None:
    assert named(changed(CUT, through_proxy=True, successor=UP)) == ("network_cut", LIKELY, ())
    in_doubt = ("network_cut", UNDECIDED, ("server_restarted",))
    assert named(changed(CUT, through_proxy=True)) == in_doubt


def test_reset_behind_a_proxy_may_be_a_limit_that_mariadb_was_not_asked_about_since() -> None:
    facts = changed(CUT, through_proxy=True, successor=UP, mariadb=True)
    assert named(facts) == ("network_cut", UNDECIDED, ("idle_timeout",))
    assert named(changed(facts, tcp=tcp("CLOSE"), idle=0.4)) == ("network_cut", LIKELY, ())


@pytest.mark.parametrize(
    ("through_proxy", "expected"),
    [(False, ("killed", ("network_cut",))), (True, ("network_cut", ("killed",)))],
)
def test_reset_of_a_statement_is_either(
    through_proxy: bool, expected: tuple[str, tuple[str, ...]]
) -> None:
    facts = changed(SENT, tcp=tcp("CLOSE", last_acked=1.0), through_proxy=through_proxy)
    cause, confidence, others = named(changed(facts, successor=UP))
    assert ((cause, others), confidence) == (expected, UNDECIDED)


def test_encrypted_end_in_good_order_is_not_taken_for_a_reset() -> None:
    facts = changed(SENT, tcp=tcp("CLOSE", last_acked=1.0), through_proxy=False, successor=UP)
    assert named(changed(facts, tls=True)) == ("killed", LIKELY, ())
    assert named(changed(facts, driver_tells=True)) == ("killed", LIKELY, ())
    told = changed(facts, driver_tells=True, driver_cause="ConnectionResetError")
    assert named(told)[1] is UNDECIDED


def test_orderly_close_without_a_proxy_is_a_kill() -> None:
    assert named(changed(CLOSED, through_proxy=False, successor=UP)) == ("killed", LIKELY, ())
    in_doubt = ("killed", UNDECIDED, ("server_restarted",))
    assert named(changed(CLOSED, through_proxy=False)) == in_doubt


def test_orderly_close_behind_a_proxy_is_either() -> None:
    facts = changed(CLOSED, through_proxy=True, successor=UP)
    found = diagnose(facts)
    assert (found.cause, found.alternatives) == ("network_cut", ("killed",))
    assert "idle times of several losses" in found.settle and "who may KILL" in found.settle
    # It may have known another limit than the one of the first session.
    assert named(changed(facts, mariadb=True))[2] == ("killed", "idle_timeout")


def test_orderly_close_with_nothing_known_is_any_of_three() -> None:
    assert named(CLOSED) == ("killed", UNDECIDED, ("network_cut", "server_restarted"))


def test_end_of_a_unix_socket_may_be_this_sides() -> None:
    facts = changed(IDLE, sight=Sight(SightKind.CLOSED), through_proxy=False, successor=UP)
    assert named(facts) == ("killed", UNDECIDED, ("closed_by_application",))
    assert named(changed(facts, mariadb=True))[2] == ("closed_by_application", "idle_timeout")


@pytest.mark.parametrize("phase", [Phase.IN_FLIGHT, Phase.COMMIT, Phase.READING])
def test_kill_in_any_phase_is_a_kill(phase: Phase) -> None:
    facts = changed(SENT, phase=phase, through_proxy=False, successor=UP)
    assert named(facts) == ("killed", LIKELY, ())
