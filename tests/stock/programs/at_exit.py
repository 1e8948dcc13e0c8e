"""An object of a module that writes as it is finalized, which is when the interpreter ends."""

from __future__ import annotations

import os
from typing import Any

from django.db import close_old_connections, connections, transaction
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import TABLE, alias, outcome, run, say

NAME = alias(CONN_MAX_AGE=None if os.environ["AGE"] == "None" else 0)


def write(tag: str) -> Any:
    return run(NAME, "INSERT INTO note (tag) VALUES (%s)", [tag])


def block() -> None:
    with transaction.atomic(NAME):
        write("in a block")


class Last:
    """Says what it could do."""

    def __del__(self) -> None:
        say([outcome(lambda: write("last")), outcome(block), outcome(stored)])


def stored() -> Any:
    return [row[0] for row in run(NAME, "SELECT tag FROM note ORDER BY id")]


BEFORE = {
    "used": lambda: write("first"),
    "a block": block,
    "at the end of a piece of work": lambda: (write("first"), close_old_connections()),
    "closed": lambda: (write("first"), connections[NAME].close()),
    "never used": lambda: None,
}
admin(TABLE)
BEFORE[os.environ["BEFORE"]]()
last = Last()
