"""What hooks of ``on_commit`` may do with the connection, in every order of three."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable
from typing import Any

from django.db import close_old_connections, connections, transaction
from tests.stock.programs.workshop import (
    TABLE,
    Wrapper,
    alias,
    close_all,
    forget,
    outcome,
    run,
    say,
)

NAME = alias()
OVERRIDDEN = ("_set_autocommit", "ensure_connection", "run_and_clear_commit_hooks")


def overriding(name: str) -> type:
    """A class of wrappers with one method of its own, which asks something once Django's ran."""

    def method(self: Any, *args: Any) -> Any:
        returned = getattr(super(kind, self), name)(*args)
        if self.connection is not None and not self.in_atomic_block and self.autocommit:
            self.connection.get_server_info()
        return returned

    kind = type("Overriding", (Wrapper,), {name: method})
    return kind


class OfItsOwn(Wrapper):  # type: ignore[misc]
    """One that has Django's method of its own, and leaves Django's uncalled."""

    def _set_autocommit(self, autocommit: bool) -> None:
        self.connection.autocommit(autocommit)


def store(name: str) -> None:
    run(name, "INSERT INTO note (tag) VALUES (%s)", ["hook"])


def in_a_block(name: str) -> None:
    with transaction.atomic(name):
        store(name)


def by_hand(name: str) -> None:
    transaction.set_autocommit(False, name)
    store(name)
    transaction.commit(name)
    transaction.set_autocommit(True, name)


def another(name: str) -> None:
    transaction.on_commit(lambda: store(name), name)


DEEDS: dict[str, Callable[[str], object]] = {
    "store": store,
    "in_a_block": in_a_block,
    "by_hand": by_hand,
    "another": another,
    "close": lambda name: connections[name].close(),
    "close_all": lambda name: connections.close_all(),
    "close_old": lambda name: close_old_connections(),
    "connect": lambda name: connections[name].connect(),
    "ensure": lambda name: connections[name].ensure_connection(),
    "cursor": lambda name: connections[name].cursor().close(),
}


def in_atomic(name: str, hooks: list[Callable[[], object]]) -> None:
    with transaction.atomic(name):
        run(name, "INSERT INTO note (tag) VALUES ('block')")
        for hook in hooks:
            transaction.on_commit(hook, name)


def nested(name: str, hooks: list[Callable[[], object]]) -> None:
    with transaction.atomic(name):
        in_atomic(name, hooks)


def begun_by_hand(name: str, hooks: list[Callable[[], object]]) -> None:
    transaction.set_autocommit(False, name)
    in_atomic(name, hooks)
    transaction.commit(name)
    transaction.set_autocommit(True, name)


BLOCKS = [in_atomic, nested, begun_by_hand]


def cell(name: str, block: Any, deeds: tuple[str, ...], *, apart: bool) -> list[Any]:
    """How the block ends, which hooks came to their end, what is stored, and what comes next."""
    run(name, TABLE)
    run(name, "DELETE FROM note")
    done: list[str] = []

    def hook(*which: str) -> Callable[[], None]:
        def do() -> None:
            for deed in which:
                DEEDS[deed](name)
                done.append(deed)

        return do

    hooks = [hook(deed) for deed in deeds] if apart else [hook(*deeds)]
    connection = connections[name]
    told = outcome(lambda: block(name, hooks))
    state = [connection.autocommit, connection.in_atomic_block, len(connection.run_on_commit)]
    later = outcome(lambda: run(name, "INSERT INTO note (tag) VALUES ('later')"))
    close_all()
    stored = sorted(row[0] for row in run(name, "SELECT tag FROM note"))
    close_all()
    return [told, done, state, later, stored]


def report() -> dict[str, Any]:
    """By class, block, way and deeds."""
    found = {}
    aliases = {"as it is": NAME, "of its own": alias(OfItsOwn)}
    aliases |= {each: alias(overriding(each)) for each in OVERRIDDEN}
    orders = list(itertools.product(DEEDS, repeat=3))
    seed = random.Random(int(os.environ.get("LIFELINE_SEED") or 1))
    for (kind, name), block, apart in itertools.product(aliases.items(), BLOCKS, (True, False)):
        part = orders if os.environ.get("WHOLE") else seed.sample(orders, 8)
        for deeds in part:
            way = "apart" if apart else "in one"
            key = f"{kind}, {block.__name__}, {way}: {', '.join(deeds)}"
            found[key] = cell(name, block, deeds, apart=apart)
    for name in aliases.values():
        forget(name)
    return found


say(report())
