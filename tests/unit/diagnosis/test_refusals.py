"""Why no connection could be had."""

from __future__ import annotations

import errno

import pytest

from django_lifeline.core.retry import Label
from django_lifeline.diagnosis import reach
from django_lifeline.diagnosis.facts import RefusalFacts
from django_lifeline.diagnosis.loss import diagnose_refusal
from django_lifeline.diagnosis.model import Confidence


@pytest.mark.parametrize(
    ("code", "cause"),
    [(1040, "too_many_connections"), (1203, "user_limit"), (1226, "user_limit")]
    + [(1129, "host_blocked"), (1130, "host_blocked"), (2026, "tls_failure")]
    + [(1045, "access_denied"), (1044, "access_denied"), (1049, "unknown_database")]
    + [(2005, "name_unknown")]
    + [(1053, "server_restarted"), (1927, "killed"), (3169, "killed"), (4031, "idle_timeout")]
    + [(1836, "read_only"), (2014, "out_of_sync"), (51903, "pool_exhausted")],
)
def test_number_that_says_it_is_believed(code: int, cause: str) -> None:
    diagnosis = diagnose_refusal(RefusalFacts(code=code))
    assert diagnosis is not None
    assert (diagnosis.cause, diagnosis.confidence) == (cause, Confidence.CERTAIN)
    assert diagnosis.label is Label.NOT_EXECUTED


@pytest.mark.parametrize("code", [1290, 1792])
def test_number_with_other_meanings_is_only_likely(code: int) -> None:
    diagnosis = diagnose_refusal(RefusalFacts(code=code))
    assert diagnosis is not None
    assert (diagnosis.cause, diagnosis.confidence) == ("read_only", Confidence.LIKELY)


@pytest.mark.parametrize("code", [1290, 1792])
def test_server_that_takes_writes_is_not_why_one_was_refused(code: int) -> None:
    assert diagnose_refusal(RefusalFacts(code=code, takes_writes=True)) is None


@pytest.mark.parametrize("code", [1064, 1062, 1146, 1366, None])
def test_what_is_none_of_ours_is_left_alone(code: int | None) -> None:
    assert diagnose_refusal(RefusalFacts(code=code)) is None


@pytest.mark.parametrize(
    ("driver_cause", "system", "cause"),
    [
        ("FileNotFoundError", 0, "socket_missing"),
        ("PermissionError", 0, "socket_missing"),
        ("ConnectionRefusedError", 0, "connection_refused"),
        ("gaierror", 0, "name_unknown"),
        ("TimeoutError", 0, "unreachable"),
        ("EHOSTUNREACH", 0, "unreachable"),
        ("", errno.ENOENT, "socket_missing"),
        ("", errno.EINPROGRESS, "connection_refused"),
        ("", errno.ETIMEDOUT, "unreachable"),
    ],
)
@pytest.mark.parametrize("code", [2002, 2003])
def test_systems_error_tells_why_it_cannot_be_reached(
    code: int, driver_cause: str, system: int, cause: str
) -> None:
    facts = RefusalFacts(code=code, driver_cause=driver_cause, system=system)
    diagnosis = diagnose_refusal(facts)
    assert diagnosis is not None
    assert (diagnosis.cause, diagnosis.confidence) == (cause, Confidence.CERTAIN)


@pytest.mark.parametrize("place", ["shop@localhost/shop", "shop@/run/mysqld/mysqld.sock/shop"])
def test_number_alone_of_a_socket_leaves_open_who_is_missing(place: str) -> None:
    diagnosis = diagnose_refusal(RefusalFacts(code=2002, place=place))
    assert diagnosis is not None
    assert diagnosis.confidence is Confidence.UNDECIDED
    assert (diagnosis.cause, diagnosis.alternatives) == ("socket_missing", ("connection_refused",))


@pytest.mark.parametrize(("waited", "cause"), [(0.01, "connection_refused"), (10.0, "unreachable")])
def test_number_alone_over_the_network_is_told_apart_by_the_time(waited: float, cause: str) -> None:
    facts = RefusalFacts(code=2002, place="shop@db:3306/shop", waited=waited)
    diagnosis = diagnose_refusal(facts)
    assert diagnosis is not None
    assert (diagnosis.cause, diagnosis.confidence) == (cause, Confidence.LIKELY)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Can't connect to local server through socket '/run/mysqld/mysqld.sock' (2)", 2),
        ("Can't connect to server on '127.0.0.1' (115)", 115),
        ("Can't connect to MySQL server on 'db:3306' (111)", 111),
        ("Too many connections", 0),
    ],
)
def test_systems_number_is_read_from_the_librarys_text(text: str, number: int) -> None:
    assert reach.number_in(text) == number


@pytest.mark.parametrize("name", ["SSLError", "SSLCertVerificationError"])
def test_certificate_behind_an_unreachable_server_is_seen(name: str) -> None:
    diagnosis = diagnose_refusal(RefusalFacts(code=2003, driver_cause=name))
    assert diagnosis is not None
    assert (diagnosis.cause, diagnosis.confidence) == ("tls_failure", Confidence.CERTAIN)


@pytest.mark.parametrize("code", [2013, 2006, 2012, 2027, 2055, 0])
def test_broken_login_leaves_it_open(code: int) -> None:
    diagnosis = diagnose_refusal(RefusalFacts(code=code))
    assert diagnosis is not None
    assert diagnosis.cause == "unreachable"
    assert diagnosis.alternatives == ("server_restarted", "half_open", "tls_failure")


def test_attempts_are_told() -> None:
    diagnosis = diagnose_refusal(RefusalFacts(code=1040, attempts=7, waited=5.02))
    assert diagnosis is not None
    assert "7 times within 5.0 s" in diagnosis.because
    assert (diagnosis.evidence["attempts"], diagnosis.evidence["waited_seconds"]) == (7, 5.0)


def test_empty_pool_shows_its_figures() -> None:
    figures = (("max_size", 3), ("size", 3), ("idle", 0), ("used", 3), ("waiting", 2))
    diagnosis = diagnose_refusal(RefusalFacts(code=51901, figures=figures))
    assert diagnosis is not None
    assert (diagnosis.cause, diagnosis.confidence) == ("pool_exhausted", Confidence.CERTAIN)
    assert diagnosis.because == "3 open of at most 3, 0 idle, 3 used, 2 waiting."
    assert diagnosis.evidence["idle"] == 0


def test_pool_that_is_empty_since_connecting_fails_names_that() -> None:
    diagnosis = diagnose_refusal(RefusalFacts(code=51901, last_connect_code=1040))
    assert diagnosis is not None
    assert (diagnosis.cause, diagnosis.alternatives) == (
        "too_many_connections",
        ("pool_exhausted",),
    )


def test_packet_that_is_too_large_shows_both_sizes() -> None:
    diagnosis = diagnose_refusal(RefusalFacts(code=1153, size=2000, limit=1024))
    assert diagnosis is not None
    assert diagnosis.cause == "packet_too_large"
    assert "2000" in diagnosis.because and "1024" in diagnosis.because
    assert diagnosis.evidence["bytes"] == 2000
