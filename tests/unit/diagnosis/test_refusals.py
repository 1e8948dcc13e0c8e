"""Why no connection could be had."""

from __future__ import annotations

import pytest

from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.facts import RefusalFacts
from django_lifeline.diagnosis.loss import diagnose_refusal
from django_lifeline.diagnosis.model import Confidence


@pytest.mark.parametrize(
    ("code", "cause"),
    [(1040, "too_many_connections"), (1203, "user_limit"), (1226, "user_limit")]
    + [(1129, "host_blocked"), (1130, "host_blocked"), (2026, "tls_failure")]
    + [(number, "unreachable") for number in (2002, 2003, 2005)]
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


@pytest.mark.parametrize("code", [1045, 1044, 1049, 1064, 1062, None])
def test_what_is_none_of_ours_is_left_alone(code: int | None) -> None:
    assert diagnose_refusal(RefusalFacts(code=code)) is None


@pytest.mark.parametrize("name", ["SSLError", "SSLCertVerificationError"])
def test_certificate_behind_an_unreachable_server_is_seen(name: str) -> None:
    diagnosis = diagnose_refusal(RefusalFacts(code=2003, driver_cause=name))
    assert diagnosis is not None
    assert (diagnosis.cause, diagnosis.confidence) == ("tls_failure", Confidence.CERTAIN)


@pytest.mark.parametrize("code", [2013, 2006, 2012, 0])
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
