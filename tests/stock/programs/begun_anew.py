"""What a piece of work leaves in Django's own wrapper, and what the next ones find of it.

Each thing that can be left, each value of ``CONN_MAX_AGE``, each way in which a piece of work ends.
Afterwards come three pieces of work: a write, a block with a hook, and what was set in the session.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from typing import Any

from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections, transaction
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import TABLE, alias, forget, outcome, run, say

PART = frozenset(os.environ["PART"].split(";"))
"""Which of the things below, by name."""
AGE = 0.4
AGES = (0, None, AGE)
FLAGS = (
    *("in_atomic_block", "savepoint_ids", "atomic_blocks", "needs_rollback", "autocommit"),
    *("closed_in_transaction", "errors_occurred", "run_on_commit", "health_check_enabled"),
    "run_commit_hooks_on_set_autocommit_on",
)
NAME = ""
ran: list[str] = []


def mine() -> Any:
    return connections[NAME]


def write(tag: str) -> None:
    run(NAME, "INSERT INTO note (tag) VALUES (%s)", [tag])


def off() -> None:
    transaction.set_autocommit(False, NAME)


def on() -> None:
    transaction.set_autocommit(True, NAME)


def refused() -> None:
    """An error that the application swallows."""
    outcome(lambda: run(NAME, "INSERT INTO note (id, tag) VALUES (1, 'twice')"))


def failing_block(*, savepoint: bool) -> None:
    def block() -> None:
        with transaction.atomic(NAME, savepoint=savepoint):
            write("in a block")
            raise ZeroDivisionError

    outcome(block)


def hook(name: str) -> None:
    transaction.on_commit(lambda: ran.append(name), NAME)


def broken_block() -> None:
    off()
    failing_block(savepoint=False)


def broken_block_and_on_again() -> None:
    broken_block()
    on()


def broken_block_rolled_back() -> None:
    broken_block()
    transaction.rollback(NAME)
    on()


def undone_block_and_on_again() -> None:
    off()
    failing_block(savepoint=True)
    on()


def hook_and_on_again() -> None:
    off()
    with transaction.atomic(NAME):
        write("with a hook")
        hook("left")
    on()


def hook_left_with_autocommit_off() -> None:
    off()
    with transaction.atomic(NAME):
        hook("left")


def hook_by_hand() -> None:
    mine().ensure_connection()
    mine().run_on_commit.append((set(), lambda: ran.append("by hand"), False))


def hook_of_a_failed_block() -> None:
    def block() -> None:
        with transaction.atomic(NAME):
            hook("failed")
            raise ZeroDivisionError

    outcome(block)


def closed_within() -> None:
    def block() -> None:
        with transaction.atomic(NAME):
            write("closed within")
            mine().close()

    outcome(block)


def broken_by_hand() -> None:
    mine().ensure_connection()
    mine().needs_rollback = True


def committed_by_hand() -> None:
    off()
    write("by hand")
    transaction.commit(NAME)


def settings_are_others() -> None:
    write("before")
    mine().settings_dict["CONN_HEALTH_CHECKS"] = True


LEFT: dict[str, Callable[[], Any]] = {
    "nothing": lambda: write("nothing"),
    "an error": refused,
    "autocommit off": off,
    "off, and an error": lambda: (off(), refused()),
    "broken block": broken_block,
    "broken block, on again": broken_block_and_on_again,
    "broken block, rolled back": broken_block_rolled_back,
    "undone block, on again": undone_block_and_on_again,
    "hook, on again": hook_and_on_again,
    "hook, autocommit off": hook_left_with_autocommit_off,
    "hook by hand": hook_by_hand,
    "hook of a failed block": hook_of_a_failed_block,
    "closed within": closed_within,
    "broken by hand": broken_by_hand,
    "committed by hand": committed_by_hand,
    "health checks": settings_are_others,
}


def a_request_ends_and_one_begins() -> None:
    request_finished.send(sender=None)
    request_started.send(sender=None)


ENDS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "close_old_connections": close_old_connections,
    "close_if_unusable_or_obsolete": lambda: mine().close_if_unusable_or_obsolete(),
    "a request": a_request_ends_and_one_begins,
    "two": lambda: (close_old_connections(), a_request_ends_and_one_begins()),
    "close": lambda: mine().close(),
}


def state() -> dict[str, Any]:
    """What Django's wrapper says of itself; of hooks only how many there are."""
    flags = {name: getattr(mine(), name) for name in FLAGS}
    return {**flags, "run_on_commit": len(flags["run_on_commit"])}


def block_with_a_hook() -> None:
    with transaction.atomic(NAME):
        write("block")
        hook("block")


def cell(left: str, age: float | None, end: str) -> Any:
    """What is seen in the pieces of work afterwards, what is stored, and which hooks ran."""
    global NAME  # noqa: PLW0603
    NAME = alias(CONN_MAX_AGE=age)
    admin("DELETE FROM note")
    admin("INSERT INTO note (id, tag) VALUES (1, 'first')")
    ran.clear()
    seen: list[Any] = [outcome(lambda: write("begin"))]
    if age:
        mine().close_at = time.monotonic()  # as if it had been open for so long
    outcome(LEFT[left])
    seen.append(outcome(ENDS[end]))
    seen += [outcome(lambda: write("after")), state()]
    seen += [outcome(lambda: mine().get_autocommit()), outcome(block_with_a_hook), list(ran)]
    outcome(lambda: run(NAME, "SET @x = 5"))
    outcome(ENDS[end])
    seen += [outcome(lambda: run(NAME, "SELECT @x")), state(), list(ran)]
    mine().close()
    forget(NAME)
    return [*seen, [row[0] for row in admin("SELECT tag FROM note ORDER BY id")]]


admin(TABLE)
say(
    {
        f"{left}; {age}; {end}": outcome(lambda c=(left, age, end): cell(*c))
        for left, age, end in itertools.product(LEFT, AGES, ENDS)
        if left in PART
    }
)
