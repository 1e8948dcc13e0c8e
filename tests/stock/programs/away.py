"""The server goes away at one point of a piece of work, and stays away until its end.

Every point: before and after each statement, commit, rollback and savepoint. The thread swallows
what is raised and goes on writing when the server is back, as schedulers and consumers do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import Error, connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.stock.programs.workshop import (
    LIFELINE,
    TABLE,
    Points,
    alias,
    one,
    outcome,
    run,
    say,
    wait_until,
)

USER, PASSWORD = SETUP["database"]["NAME"], "only-for-this-test"
WAYS: dict[str, dict[str, Any]] = {
    "pooled": {},
    "pooled, health checks": {"CONN_HEALTH_CHECKS": True},
    "without a pool": {"OPTIONS": {"pool": False}} if LIFELINE else {},
}


class Undone(Exception):
    """Raised by the author of a block."""


def insert(tag: str) -> None:
    run(NAME, "INSERT INTO note (tag) VALUES (%s)", [tag])


def plain() -> list[str]:
    insert("one")
    return ["one"]


def in_a_block() -> list[str]:
    with transaction.atomic(NAME):
        insert("one")
        insert("two")
    return ["one", "two"]


def in_a_block_that_reads() -> list[str]:
    with transaction.atomic(NAME):
        one(NAME, "SELECT COUNT(*) FROM note")
    return []


def in_a_block_of_stocks() -> list[str]:
    with transaction.atomic(NAME):
        outcome(lambda: run(NAME, "SELECT no_such_column"))
        insert("one")
    return ["one"]


def in_a_block_that_fails() -> list[str]:
    try:
        with transaction.atomic(NAME):
            insert("one")
            raise Undone
    except Undone:
        return []


def in_a_block_within() -> list[str]:
    with transaction.atomic(NAME):
        insert("one")
        try:
            with transaction.atomic(NAME):
                insert("two")
                raise Undone
        except Undone:
            insert("three")
    return ["one", "three"]


def in_a_block_with_a_hook() -> list[str]:
    with transaction.atomic(NAME):
        insert("one")
        transaction.on_commit(lambda: hooks.append("ran"), using=NAME)
    return ["one"]


def in_a_block_as_loaddata() -> list[str]:
    """It asks for the mode, and closes, after the block."""
    with transaction.atomic(NAME):
        insert("one")
    if transaction.get_autocommit(NAME):
        connections[NAME].close()
    return ["one"]


def by_hand() -> list[str]:
    connections[NAME].set_autocommit(False)
    try:
        insert("one")
        connections[NAME].commit()
    finally:
        connections[NAME].set_autocommit(True)
    return ["one"]


WORK: list[Callable[[], list[str]]] = [
    plain,
    in_a_block,
    in_a_block_that_reads,
    in_a_block_of_stocks,
    in_a_block_that_fails,
    in_a_block_within,
    in_a_block_with_a_hook,
    in_a_block_as_loaddata,
    by_hand,
]


def go_away() -> None:
    admin(f"ALTER USER '{USER}'@'%' ACCOUNT LOCK")
    sessions = f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'"
    for (number,) in admin(sessions):
        outcome(lambda number=number: admin(f"KILL {number}"))
    wait_until(lambda: not admin(sessions))


def come_back() -> None:
    admin(f"ALTER USER '{USER}'@'%' ACCOUNT UNLOCK")


def at(number: int, work: Callable[[], list[str]]) -> list[Any] | None:
    """What came of it, and what was acknowledged and is not stored; None: it has no such point."""
    admin("DELETE FROM note")
    hooks.clear()
    run(NAME, "SELECT 1")
    points = Points(NAME, number, go_away)
    with points.watched():
        told = outcome(work)
    if not points.name:
        connections[NAME].close()
        return None
    come_back()
    kept = list(told) if isinstance(told, list) else []
    for tag in ("afterwards", "in a block", "once more"):

        def write(tag: str = tag) -> None:
            if tag == "in a block":
                with transaction.atomic(NAME):
                    insert(tag)
            else:
                insert(tag)

        try:
            write()
        except Error:
            continue
        kept.append(tag)
    autocommit = outcome(lambda: connections[NAME].get_autocommit())
    connections[NAME].close()
    stored = [tag for (tag,) in admin("SELECT tag FROM note ORDER BY id")]
    return [
        points.name,
        told if isinstance(told, str) else "ok",
        autocommit,
        [tag for tag in kept if stored.count(tag) != 1],
        [tag for tag in stored if tag not in kept],
        hooks.copy(),
    ]


hooks: list[str] = []
run("default", TABLE)
connections["default"].close()
admin(f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'")
admin(f"GRANT ALL ON *.* TO '{USER}'@'%'")
report: dict[str, Any] = {}
try:
    for way, settings in WAYS.items():
        NAME = alias(USER=USER, PASSWORD=PASSWORD, CONN_MAX_AGE=None, **settings)
        for each in WORK:
            number, cell = 1, at(1, each)
            while cell is not None:
                report[f"{way}, {each.__name__}, {number}"] = cell
                number += 1
                cell = at(number, each)
finally:
    for name in connections:
        connections[name].close()
    admin(f"DROP USER '{USER}'@'%'")
say(report)
