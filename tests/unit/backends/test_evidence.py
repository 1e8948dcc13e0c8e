"""What is found out about a loss beside the plain figures."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from typing import Any

import greenlet
import pymysql
import pytest

from django_lifeline.backends.errors import attach, driver_cause, explain_refusal
from django_lifeline.backends.evidence import (
    _broken_tls,
    _goes_unanswered,
    other_user_of,
    patience_after,
)
from django_lifeline.core.liveness import TcpFacts
from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.facts import LossFacts, Phase
from django_lifeline.diagnosis.model import Diagnosis


class Waiting:
    """Stands for a connection in whose method somebody waits; says who, as the drivers do."""

    broken = False
    used_by = 0

    def query(
        self, wait: Callable[[], Any], ident: Callable[[], int] = threading.get_ident
    ) -> None:
        self.used_by = ident()
        self.broken = True
        wait()
        self.broken = False


def test_thread_that_is_inside_the_connection_is_found() -> None:
    connection: Any = Waiting()
    inside, leave = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        leave.wait()

    thread = threading.Thread(target=connection.query, args=(wait,), name="the other one")
    thread.start()
    inside.wait()
    try:
        assert other_user_of(connection) == "the other one"
        assert other_user_of(Waiting()) == ""  # type: ignore[arg-type]
    finally:
        leave.set()
        thread.join()
    assert other_user_of(connection) == ""


def test_greenlet_that_waits_inside_the_connection_is_found() -> None:
    connection: Any = Waiting()
    here = greenlet.getcurrent()
    # As threading.get_ident() once gevent has patched.
    ident = lambda: id(greenlet.getcurrent())  # noqa: E731
    other = greenlet.greenlet(lambda: connection.query(here.switch, ident))
    other.switch()
    assert other_user_of(connection) == "a greenlet"
    other.switch()
    assert other_user_of(connection) == ""


def test_whoever_asks_is_not_another_one() -> None:
    connection: Any = Waiting()
    found: list[str] = []
    connection.query(lambda: found.append(other_user_of(connection)))
    assert found == [""]


def refused_by_pymysql(error: OSError) -> BaseException:
    """PyMySQL's error on an address where connecting fails with this error."""

    class Failing:
        def settimeout(self, seconds: object) -> None:
            raise error

        def makefile(self, mode: str) -> None:  # what PyMySQL before 1.2 asks for
            raise error

    connection = pymysql.Connection(defer_connect=True)
    with pytest.raises(pymysql.OperationalError) as raised:
        connection.connect(sock=Failing())
    return raised.value


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ConnectionResetError(errno.ECONNRESET, "reset"), "ConnectionResetError"),
        (TimeoutError("timed out"), "TimeoutError"),
        (TimeoutError(errno.ETIMEDOUT, "gave up"), "ETIMEDOUT"),
    ],
)
def test_systems_error_behind_the_drivers_is_named(error: OSError, name: str) -> None:
    assert driver_cause(refused_by_pymysql(error)) == name


def test_what_the_application_was_handling_is_not_the_drivers_cause() -> None:
    with pytest.raises(pymysql.OperationalError) as raised:
        try:
            raise TimeoutError("the application's own")
        except TimeoutError:
            raise pymysql.OperationalError(2013, "lost")  # noqa: B904
    assert driver_cause(raised.value) == ""
    assert driver_cause(None) == ""


def test_number_that_libmariadb_wraps_is_the_servers() -> None:
    error: Any = pymysql.OperationalError(
        2002, "Received error packet before completion of TLS handshake: 1040 - Too many"
    )
    explain_refusal(error, "the pool", 3, 1.0)
    assert error.diagnosis.cause == "too_many_connections"


def test_first_diagnosis_of_an_error_stays_and_is_noted_once() -> None:
    error: Any = ValueError()
    first, second = (
        Diagnosis(cause=cause, label=Label.NOT_EXECUTED, advice="")
        for cause in ("killed", "unknown")
    )
    attach(error, first)
    attach(error, second)
    assert error.diagnosis is first
    assert error.__notes__ == [first.note()]


@pytest.mark.parametrize(
    "text",
    [
        "TLS/SSL error: sslv3 alert bad record mac",
        "TLS/SSL error: decryption failed or bad record mac",
        "TLS/SSL error: wrong version number",
        "TLS/SSL error: sslv3 alert unexpected message",
    ],
)
def test_libmariadbs_words_for_a_broken_record_are_told(text: str) -> None:
    assert _broken_tls(pymysql.err.OperationalError(2026, text)).startswith("SSL: ")


@pytest.mark.parametrize(
    "error",
    [
        pymysql.err.OperationalError(2026, "TLS/SSL error: unexpected eof while reading"),
        pymysql.err.OperationalError(2026, "TLS/SSL error: Connection reset by peer (104)"),
        pymysql.err.OperationalError(2013, "Lost connection: wrong version number"),
        None,
    ],
)
def test_end_of_an_encrypted_connection_is_no_broken_record(error: Exception | None) -> None:
    assert _broken_tls(error) == ""


def test_goodbye_of_another_process_is_what_has_no_answer() -> None:
    kernel = {"state": "CLOSE_WAIT", "last_acked": 1.0}
    assert _goes_unanswered(TcpFacts(last_sent=1.0, last_received=5.0, **kernel))
    assert not _goes_unanswered(TcpFacts(last_sent=5.0, last_received=5.0, **kernel))
    assert not _goes_unanswered(None)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({"read_timeout": 1.0, "elapsed": 1.0}, 0.25),
        ({"read_timeout": 4.0, "elapsed": 4.0}, 0.5),
        ({"read_timeout": 30.0, "elapsed": 30.0}, 1.0),
        ({"read_timeout": 30.0, "elapsed": 0.1}, 1.0),
        ({"read_timeout": None, "elapsed": 0.1}, 1.0),
        ({"read_timeout": 1.0, "elapsed": 1.0, "code": 1927}, None),
        ({"elapsed": 1.0, "driver_cause": "ConnectionResetError"}, None),
        ({"read_timeout": 1.0, "elapsed": 1.0, "phase": Phase.BEFORE}, None),
    ],
)
def test_who_was_kept_waiting_is_not_kept_for_as_long_again(
    told: dict[str, Any], seconds: float | None
) -> None:
    lost = {"label": Label.UNKNOWN_EFFECT, "phase": Phase.IN_FLIGHT, "code": 2013}
    facts = LossFacts(**{**lost, "driver_cause": "TimeoutError", **told})
    assert patience_after(facts) == seconds
