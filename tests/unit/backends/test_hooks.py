"""What is put into a class of wrappers after it was written is noticed, and taken back again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from tests.unit.backends.fake_server import FakeServer

from django_lifeline.backends.mysql.base import DatabaseWrapper
from django_lifeline.backends.wrapper import LifelineMixin


class Own(DatabaseWrapper):
    """A project's own engine."""


def ways(kind: Any) -> list[bool]:
    """Whether the shorter ways of a class may be taken."""
    return [getattr(kind, flag) for flag in kind._shortcuts]


@contextmanager
def patched(owner: type, name: str) -> Iterator[Any]:
    with mock.patch.object(owner, name, autospec=True, side_effect=getattr(owner, name)) as asked:
        yield asked


@pytest.mark.parametrize("owner", [Own, DatabaseWrapper, LifelineMixin])
def test_method_that_is_replaced_closes_the_way_round_it_and_opens_it_again(owner: Any) -> None:
    assert ways(Own) == [True] * 2
    with patched(owner, "ensure_connection"):
        assert ways(Own) == [False, False]
    assert ways(Own) == [True] * 2


def test_class_beside_the_one_that_was_changed_keeps_its_ways() -> None:
    with patched(Own, "ensure_connection"):
        assert ways(DatabaseWrapper) == [True] * 2


def test_own_method_of_an_own_class_is_known_from_the_start() -> None:
    class Mine(DatabaseWrapper):
        def create_cursor(self, name: Any = None) -> Any:
            """Make it as ever."""
            return super().create_cursor(name)

    assert ways(Mine) == [False, True]


@pytest.mark.parametrize("name", ["ensure_connection", "create_cursor", "make_cursor"])
def test_wrapper_that_is_there_already_calls_what_its_class_was_given(
    wrapper: Any, server: FakeServer, name: str
) -> None:
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT 1")
    with patched(type(wrapper), name) as asked:
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert asked.call_count == 1
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert asked.call_count == 1
