"""``status --exit-code`` reads what processes wrote down."""

from __future__ import annotations

import argparse
import io
from typing import Any

import pytest
from django.conf import UserSettingsHolder, global_settings, settings

from django_lifeline.core.clock import now
from django_lifeline.diagnosis.readiness import LONG_WAIT, State, state_of
from django_lifeline.diagnosis.usage import UsageError
from django_lifeline.panel import processes, status

POOL = {"name": "shop@db/shop", "size": 2, "away": False, "longest_wait": 0.0}
OPTIONS = argparse.Namespace(
    exit_code=True, at_least=0, url=None, settings=None, database=[], dsn=None
)


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ({}, State.OK),
        ({"size": 0}, State.UNUSED),
        ({"away": True}, State.AWAY),
        ({"away": True, "size": 0}, State.AWAY),
        ({"longest_wait": LONG_WAIT / 2}, State.OK),
        ({"longest_wait": LONG_WAIT}, State.EXHAUSTED),
    ],
)
def test_state_follows_from_what_the_pool_met(found: dict[str, Any], state: State) -> None:
    assert state_of({**POOL, **found}) is state


def test_only_what_is_known_to_be_wrong_is_not_ready() -> None:
    assert [state for state in State if state.ready] == [State.UNUSED, State.OK]


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    holder = UserSettingsHolder(global_settings)
    holder.SECRET_KEY = "of a test"
    monkeypatch.setitem(settings.__dict__, "_wrapped", holder)
    settings.__dict__.pop("SECRET_KEY", None)
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(processes, "other_processes", lambda: found)
    return found


def process(**pool: Any) -> dict[str, Any]:
    return {"program": "celery", "pid": 7, "at": now() - 3, "pools": [{**POOL, **pool}]}


def test_ready_processes_end_with_status_0(running: list[dict[str, Any]]) -> None:
    running.append(process())
    out = io.StringIO()
    assert status.run(OPTIONS, out) == 0
    assert out.getvalue() == "celery (pid 7, 3 s ago): shop@db/shop ok\n"


def test_one_that_is_not_ready_ends_with_status_1(running: list[dict[str, Any]]) -> None:
    running += [process(), process(away=True), {"program": "no pools yet", "pid": 8, "at": 0}]
    out = io.StringIO()
    assert status.run(OPTIONS, out) == 1
    assert "shop@db/shop away" in out.getvalue()


def test_nothing_known_is_said_and_counts_as_ready(running: list[dict[str, Any]]) -> None:
    out = io.StringIO()
    assert status.run(OPTIONS, out) == 0
    assert out.getvalue() == "No other process has written within 30 s: nothing is known.\n"


@pytest.mark.parametrize(("wanted", "expected"), [(0, 0), (1, 0), (2, 1)])
def test_processes_that_are_missing_are_not_ready(
    running: list[dict[str, Any]], wanted: int, expected: int
) -> None:
    running.append(process())
    out = io.StringIO()
    options = argparse.Namespace(**{**vars(OPTIONS), "at_least": wanted})
    assert status.run(options, out) == expected
    assert ("Processes that have written: 1; --at-least asks for 2." in out.getvalue()) is bool(
        expected
    )


def test_without_settings_it_cannot_know_whose_processes(
    running: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings._wrapped.SECRET_KEY = ""
    settings.__dict__.pop("SECRET_KEY", None)
    with pytest.raises(UsageError, match="needs the project's settings"):
        status.run(OPTIONS, io.StringIO())
