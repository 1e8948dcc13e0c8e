"""``connection_scope``: leases return at its end, whatever it is put round."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Report

pytestmark = pytest.mark.drawn


@pytest.fixture
def said(report: Report) -> Any:
    return report("scopes")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("without_parentheses", [7, [False]]),
        ("with_block", [[True], [False]]),
        ("exceptions", ["mine", [False]]),
        ("round_atomic", [[False], 1]),
        ("method", [42, "Work 7", 7, [False]]),
        ("callables", [14, 10, [False]]),
    ],
)
def test_scope_round_any_callable_gives_back_at_its_end(
    said: Any, name: str, expected: list[Any]
) -> None:
    assert said[name] == expected


def test_scope_round_a_function_keeps_its_signature_and_words(said: Any) -> None:
    inside, after, name, words, signature = said["plain"]
    assert inside == [1, 3, [4], 5, {"d": 6}, [True, True]]
    assert after == [False, False]
    assert (name, words) == ("work", "Its own words.")
    assert signature.startswith("(a: 'int', /, b: 'int' = 2, *args: 'int', c: 'int'")


def test_scope_of_one_alias_leaves_the_others_alone(said: Any) -> None:
    assert said["one_alias"] == [True, False]


def test_only_the_outermost_scope_gives_back(said: Any) -> None:
    assert said["nested"] == [[True], [True], [False]]
    assert said["recursive"] == [[[True], [True], [True]], [False]]


def test_scope_inside_atomic_keeps_the_transactions_connection(said: Any) -> None:
    assert said["inside_atomic"] == [[True], 2]


def test_scope_round_a_generator_lasts_as_long_as_it_runs(said: Any) -> None:
    assert said["generator"] == [7, [True], [7, 7], [False], [False], True]
    assert said["generator_sent_to"] == [7, 5, "caught", "returned", [False]]


def test_scope_round_a_coroutine_gives_back_in_the_thread_that_borrowed(said: Any) -> None:
    assert said["coroutine"] == [[7, [False]], [2], True]
    assert said["coroutine_with_exception"] == ["mine", [False]]
    assert said["several_coroutines"] == [[0, 7, 14, 21, 28], [False]]


def test_scope_round_an_async_generator_lasts_as_long_as_it_runs(said: Any) -> None:
    assert said["async_generator"] == [[[7, 7, 7], [False]], True]


def test_coroutine_that_ends_does_not_take_anothers_session_away(said: Any) -> None:
    assert said["overlapping_coroutines"] == [[False], [5]]


def test_scope_in_a_thread_gives_the_slot_back_before_the_thread_ends(said: Any) -> None:
    assert said["threads"] == [[7], 0, 0]


def test_unknown_alias_is_named_in_the_error(said: Any) -> None:
    assert said["unknown_alias"] == [True, True]


def test_databases_with_other_engines_are_left_alone(said: Any) -> None:
    still_connected, refused, aliases = said["other_engines"]
    assert still_connected is True
    assert "django.db.backends.mysql" in refused
    assert aliases == ["a", "b", "default"]
