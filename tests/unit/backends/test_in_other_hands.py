"""What rests may be in other hands: whatever its last user calls leaves it alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import DatabaseError, connections

from django_lifeline.backends.mysql.base import DatabaseWrapper

ONE_SLOT = {"OPTIONS": {"pool": {"max_size": 1, "timeout": 0.01}}}


def _needs_nothing(name: str) -> bool:
    member = inspect.getattr_static(DatabaseWrapper, name)
    if not inspect.isfunction(member):
        return isinstance(member, property) or hasattr(member, "func")
    parameters = list(inspect.signature(member).parameters.values())[1:]
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return all(each.default is not each.empty or each.kind in optional for each in parameters)


ASKED = sorted(
    name for name in dir(DatabaseWrapper) if not name.startswith("_") and _needs_nothing(name)
)


def call(wrapper: Any, name: str) -> None:
    try:
        found = getattr(wrapper, name)
        if callable(found) and name != "wrap_database_errors":
            found = found()
        if isinstance(found, AbstractContextManager):
            with found:
                pass
    except (DatabaseError, NotImplementedError, RuntimeError):
        pass  # that no other connection is to be had, or what Django says of this call


def test_enough_is_asked() -> None:
    assert {"ensure_connection", "connection", "cursor", "is_usable", "close"} <= set(ASKED)


@pytest.mark.parametrize("name", ASKED)
def test_nothing_looks_at_a_connection_that_another_has(
    connect: Callable[..., Any], name: str
) -> None:
    owner, other = connect(**ONE_SLOT), connect(**ONE_SLOT)
    with owner.cursor() as cursor:
        cursor.execute("SELECT 1")
    connection = owner._hold.connection
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute("INSERT one")
    assert other._hold.connection is connection
    looked = []

    def poll(timeout: int) -> list[Any]:
        looked.append(name)
        return []

    commands, connection.channel.poll = connection.commands, poll
    connections["default"] = owner
    try:
        call(owner, name)
    finally:
        del connections["default"]
    assert (looked, connection.commands, connection.closed) == ([], commands, False)


def test_cursor_is_of_the_kind_that_the_connection_was_lent_with(
    connect: Callable[..., Any],
) -> None:
    owner, other = connect(**ONE_SLOT), connect(**ONE_SLOT)
    with owner.cursor() as cursor:
        cursor.execute("SELECT 1")
    with other.cursor() as cursor:
        cursor.execute("SELECT 1")
    kind = other.connection.cursorclass
    other.connection.cursorclass = type("Loud", (kind,), {})
    assert type(owner.cursor().cursor.cursor) is kind
