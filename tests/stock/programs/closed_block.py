"""Everything that can be asked of a wrapper in a block whose connection was closed inside it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from typing import Any

from django.db import OperationalError, close_old_connections, connections, transaction
from django.db.backends.mysql.base import DatabaseWrapper as StockWrapper
from tests.stock.programs.workshop import (
    alias,
    close_all,
    forget,
    kill,
    one,
    outcome,
    say,
    session_id,
)

NAME = alias()


def lose(name: str) -> None:
    """The session is ended in the middle of the block."""
    kill(session_id(name))


def closed_after_a_loss(connection: Any, meet: Callable[[], object]) -> None:
    """Whoever meets the loss swallows it, and closes the connection to have a new one."""
    lose(NAME)
    outcome(meet)
    connection.close()


def meet_in_a_block() -> None:
    with transaction.atomic(NAME):
        one(NAME, "SELECT 2")


def meet_for_ever() -> None:
    """A loop of the kind that everybody has, which ends with the first success."""
    for _ in range(5):
        try:
            with transaction.atomic(NAME):
                return one(NAME, "SELECT 2")
        except OperationalError:
            connections[NAME].close()


ENDINGS: dict[str, Callable[[Any], object]] = {
    "close": lambda connection: connection.close(),
    "close_old_connections": lambda connection: close_old_connections(),
    "close_all": lambda connection: connections.close_all(),
    "close after a lost read": lambda connection: closed_after_a_loss(
        connection, lambda: one(NAME, "SELECT 2")
    ),
    "close after a lost block": lambda connection: closed_after_a_loss(connection, meet_in_a_block),
    "close after each try": lambda connection: closed_after_a_loss(connection, meet_for_ever),
    "close after a lost savepoint": lambda connection: closed_after_a_loss(
        connection, connection.savepoint
    ),
    "close before the loss is met": lambda connection: closed_after_a_loss(
        connection, lambda: None
    ),
    "close_all after a lost read": lambda connection: (
        closed_after_a_loss(connection, lambda: one(NAME, "SELECT 2")),
        connections.close_all(),
    ),
}
WHOLLY = ("close", "close after a lost read")
"""Those of which all is asked."""
FEW = ("get_autocommit", "is_usable", "savepoint", "errors_occurred", "needs_rollback")
NOT_ASKED = {"runshell", "get_database_version"}
"""Those that start a program, or are asked before there is any connection."""


def names() -> Iterator[str]:
    """All methods of stock's wrapper that take no arguments, and its properties."""
    for name in dir(StockWrapper):
        value = inspect.getattr_static(StockWrapper, name)
        if name.startswith("__") or name in NOT_ASKED or inspect.isclass(value):
            continue
        if not callable(value) or all(map(_may_be_left_out, _parameters(value))):
            yield name


def _parameters(method: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(method).parameters.values())[1:]


def _may_be_left_out(parameter: inspect.Parameter) -> bool:
    variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return variable or parameter.default is not parameter.empty


def use(connection: Any, name: str) -> Any:
    """Ask for it, and call it if it is a method."""
    found = getattr(connection, name)
    said = found() if callable(inspect.getattr_static(StockWrapper, name)) else found
    return said if isinstance(said, bool | int | str | tuple | None) else "something"


def asked(name: str, ends: Callable[[Any], object]) -> list[Any]:
    """What it says inside the block, how the block ends, and what the next statement says."""
    connection = connections[NAME]
    one(NAME, "SELECT 1")
    said: list[Any] = []

    def block() -> None:
        with transaction.atomic(NAME):
            one(NAME, "SELECT 1")
            ends(connection)
            said.append(outcome(lambda: use(connection, name)))
            transaction.on_commit(lambda: said.append("a hook ran"), NAME)

    said.append(outcome(block))
    said.append(outcome(lambda: one(NAME, "SELECT 3")))
    close_all()
    return said


def inner_block(connection: Any) -> None:
    with transaction.atomic(NAME):
        one(NAME, "SELECT 2")


WORKS: list[Callable[[Any], object]] = [
    lambda connection: one(NAME, "SELECT 2"),
    lambda connection: connection.cursor().executemany("SELECT %s", [(1,)]),
    lambda connection: connection.savepoint() and None,
    inner_block,
    lambda connection: connection.ensure_connection(),
    lambda connection: connection.cursor() and None,
]


def goes_on(ends: Callable[[Any], object], work: Callable[[Any], object]) -> list[Any]:
    """What work says in the block when its author has told Django not to roll back."""
    connection = connections[NAME]
    said: list[Any] = []

    def block() -> None:
        with transaction.atomic(NAME):
            one(NAME, "SELECT 1")
            ends(connection)
            transaction.set_rollback(False, NAME)
            said.extend([outcome(lambda: work(connection)), connection.needs_rollback])
            transaction.set_rollback(False, NAME)
            transaction.on_commit(lambda: said.append("a hook ran"), NAME)

    said.append(outcome(block))
    said.append(outcome(lambda: one(NAME, "SELECT 3")))
    close_all()
    return said


def driver_used(ends: Callable[[Any], object]) -> list[Any]:
    """What the driver's connection says inside the block."""
    calls: dict[str, Callable[[Any], object]] = {
        "ping": lambda raw: raw.ping(),
        "query": lambda raw: raw.query("SELECT 1"),
        "commit": lambda raw: raw.commit(),
        "cursor": lambda raw: raw.cursor().execute("SELECT 1"),
    }

    def told(call: Callable[[Any], object]) -> Any:
        connection = connections[NAME]
        with transaction.atomic(NAME):
            one(NAME, "SELECT 1")
            ends(connection)
            said = outcome(lambda: call(connection.connection))
        close_all()
        return said

    return [told(call) for call in calls.values()]


def report() -> dict[str, Any]:
    """By the way it was closed, and the name."""
    whole = bool(os.environ.get("WHOLE"))
    said = {
        f"{ending}: {name}": asked(name, ends)
        for ending, ends in ENDINGS.items()
        for name in (names() if whole or ending in WHOLLY else FEW)
    }
    raw = {f"{ending}: the driver's": driver_used(ends) for ending, ends in ENDINGS.items()}
    on = {
        f"{ending}: the block goes on": [goes_on(ends, work) for work in WORKS]
        for ending, ends in ENDINGS.items()
    }
    return {**said, **raw, **on}


say(report())
forget(NAME)
