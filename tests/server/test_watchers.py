"""The engine's short way through Django's cursor hides nothing from those who watch it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.backends import utils
from tests.server.conftest import Report

from django_lifeline.backends import cursor

pytestmark = pytest.mark.drawn

OURS, DJANGOS = "django_lifeline.backends.cursor", "django.db.backends.utils"


@pytest.fixture
def said(report: Report) -> Any:
    return report("watchers")


def answer(module: str, number: int) -> list[Any]:
    return [module, [number], [[[number]], [], []], [[1], [2]]]


def test_unwatched_statement_takes_the_short_way(said: Any) -> None:
    assert said["plain"] == said["unwatched_again"] == [answer(OURS, 1), []]


def test_execute_wrappers_see_every_statement(said: Any) -> None:
    union = "SELECT 1 UNION ALL SELECT 2"
    assert said["wrapped"] == [answer(OURS, 2), ["SELECT %s", "SELECT %s", union]]


@pytest.mark.parametrize(
    ("case", "method"),
    [("execute", "execute"), ("steps", "_execute_with_wrappers"), ("last_step", "_execute")],
)
def test_who_replaces_a_method_of_djangos_cursor_sees_every_statement(
    said: Any, case: str, method: str
) -> None:
    assert said[case] == [answer(DJANGOS, 3), [method] * 3]


def test_method_replaced_before_the_engine_is_imported_is_not_taken_for_djangos(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    djangos = utils.CursorWrapper.execute
    assert cursor.AsFound(utils, "execute").is_untouched()
    monkeypatch.setattr(utils.CursorWrapper, "execute", lambda *given: djangos(*given))
    assert not cursor.AsFound(utils, "execute").is_untouched()


def test_debug_cursor_logs_statements(said: Any) -> None:
    module, [logged] = said["logged"]
    assert (module, logged.replace("b'", "").strip("'")) == (DJANGOS, "SELECT 4")


def test_drivers_errors_become_djangos(said: Any) -> None:
    assert said["wrong"] == ["django.db.utils", "ProgrammingError", "ProgrammingError"]
    assert said["no_rows"] == [["django.db.utils", "ProgrammingError", "ProgrammingError"]] * 3


def test_broken_transaction_refuses_statements(said: Any) -> None:
    assert said["broken"] == "An error occurred in the current transaction."


def test_statement_before_the_apps_are_ready_warns(said: Any) -> None:
    assert said["not_ready"] == ["RuntimeWarning"]
