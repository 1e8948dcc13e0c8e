"""Steps that look at the session, and those that end a piece of work."""

from __future__ import annotations

import gc
from typing import Any

from django import db
from django.core.signals import request_finished
from django.db import Error

from tests.differential.actions.place import Place, action, stage
from tests.differential.actor import Actor

ANSWERS = (1146, 1193, 1243)
"""Errors that are an answer: no such table, no such variable, nothing prepared."""

LOOKS = (
    "SELECT @@sql_mode",
    "SELECT @@time_zone",
    "SELECT @v, @w",
    "SELECT DATABASE()",
    "SELECT @@transaction_isolation",
    "SELECT @@collation_connection",
    "SELECT @@sort_buffer_size",
    # Of its own: whether others hold them is seen elsewhere, and changes when they are killed.
    "SELECT IS_USED_LOCK('{l1}') <=> CONNECTION_ID(), IS_USED_LOCK('{l2}') <=> CONNECTION_ID()",
    "SELECT LAST_INSERT_ID()",
    "SELECT x FROM scratch",
    "EXECUTE prepared",
)


def seen(place: Place) -> list[Any]:
    """What a session has of its own. Inside ``atomic`` its autocommit is the engine's affair."""
    looks = list(LOOKS)
    if not place.connection.in_atomic_block:
        looks.append("SELECT @@autocommit")
    found: list[Any] = []
    for look in looks:
        try:
            found.append(place.execute(look)[1])
        except Error as error:
            if error.args[0] not in ANSWERS:
                raise
            found.append(error.args[0])
    return found


@action
def look(place: Place) -> Any:
    return seen(place)


@stage
def next_borrower(place: Place, tag: int) -> Any:
    """A new thread looks at what it got, writes one row, and ends its piece of work."""
    visitor = Actor("visitor")
    there = Place(place.arm, visitor, place.db)

    def work() -> list[Any]:
        try:
            first = seen(there)
            return [first, there.execute(f"INSERT INTO item (tag) VALUES (#{tag})")[2]]
        finally:
            db.close_old_connections()

    try:
        return visitor.call(work)
    finally:
        visitor.end()


@action
def close(place: Place) -> None:
    place.connection.close()


@action
def close_old(place: Place) -> None:
    db.close_old_connections()


@action
def close_all(place: Place) -> None:
    db.connections.close_all()


@action
def request_ends(place: Place) -> None:
    request_finished.send(sender=place.arm.__class__)


@action
def ensure(place: Place) -> None:
    place.connection.ensure_connection()


@action
def is_usable(place: Place) -> Any:
    return place.connection.connection is not None and place.connection.is_usable()


@stage
def end_thread(place: Place) -> None:
    """The thread ends without closing anything; a later step of it is in a new thread."""
    place.arm.actors.pop(place.actor.name).end()
    # Django's wrappers refer to themselves.
    gc.collect()
