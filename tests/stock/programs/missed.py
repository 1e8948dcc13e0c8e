"""A session is lost with what its author counts on, and somebody swallows the only error.

Each kind of state that no other session has; the session is killed before each of four items, the
errors of the items are swallowed in each of three ways, and the author ends it as he would.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connections, transaction
from django.db.backends.mysql.base import CursorWrapper as DjangosCursorWrapper
from django.db.backends.signals import connection_created
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import (
    LIFELINE,
    TABLE,
    Wrapper,
    alias,
    kill,
    outcome,
    piece_of_work_ends,
    run,
    say,
    session_id,
)

STATES: dict[str, tuple[list[str], list[str]]] = {
    "BEGIN, rolled back": (["BEGIN"], ["ROLLBACK"]),
    "BEGIN, committed": (["BEGIN"], ["COMMIT"]),
    "START TRANSACTION": (["START TRANSACTION READ WRITE"], ["ROLLBACK"]),
    "COMMIT AND CHAIN": (["BEGIN", "COMMIT AND CHAIN"], ["ROLLBACK"]),
    "autocommit off, rolled back": (["SET autocommit = 0"], ["ROLLBACK", "SET autocommit = 1"]),
    "autocommit off, set back": (["SET autocommit = 0"], ["SET autocommit = 1"]),
    "autocommit off, committed": (["SET autocommit = OFF"], ["COMMIT", "SET autocommit = ON"]),
    "XA": (["XA START 'x'"], ["XA END 'x'", "XA ROLLBACK 'x'"]),
    "GET_LOCK": (["SELECT GET_LOCK('missed', 5)"], ["SELECT RELEASE_LOCK('missed')"]),
    "two of them": (
        ["SELECT GET_LOCK('missed', 5)", "SELECT GET_LOCK('missed too', 5)"],
        ["SELECT RELEASE_LOCK('missed too')", "SELECT RELEASE_LOCK('missed')"],
    ),
    "DO GET_LOCK": (["DO GET_LOCK('missed', 5)"], ["DO RELEASE_ALL_LOCKS()"]),
    "LOCK TABLES": (["LOCK TABLES note WRITE"], ["UNLOCK TABLES"]),
    "temporary table": (
        ["CREATE TEMPORARY TABLE note (id INT PRIMARY KEY AUTO_INCREMENT, tag VARCHAR(99))"],
        ["DROP TEMPORARY TABLE note"],
    ),
    "SET @who": (["SET @who = 7"], []),
    "SELECT :=": (["SELECT @who := 7"], []),
    "INTO @who": (["SELECT 7 INTO @who"], []),
    "SET of what is no literal": (["SET sql_mode = CONCAT(@@sql_mode, ',ANSI')"], []),
    "HANDLER": (["HANDLER note OPEN"], ["HANDLER note CLOSE"]),
    "PREPARE": (["PREPARE missed FROM 'SELECT 1'"], ["DEALLOCATE PREPARE missed"]),
    "SET TRANSACTION": (["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"], []),
}
ENDED_BY_A_BLOCK = ("BEGIN", "START", "COMMIT", "autocommit", "XA", "SET TRANSACTION")


def insert(tag: str) -> None:
    run(NAME, "INSERT INTO note (tag) VALUES (%s)", [tag])


def swallowed(tag: str, strike: Callable[[], None] | None) -> Any:
    if strike:
        strike()
    return outcome(lambda: insert(tag))


def in_a_block(tag: str, strike: Callable[[], None] | None) -> Any:
    if strike:
        strike()

    def work() -> None:
        with transaction.atomic(NAME):
            insert(tag)

    return outcome(work)


def by_a_robust_hook(tag: str, strike: Callable[[], None] | None) -> Any:
    """Django itself swallows it: the item says that all is well."""
    if strike is None:
        return outcome(lambda: insert(tag))

    def hook() -> None:
        strike()
        run(NAME, "SELECT 1")

    def work() -> None:
        with transaction.atomic(NAME):
            transaction.on_commit(hook, using=NAME, robust=True)

    return outcome(work)


def chained(sql: str) -> Callable[..., Any]:
    """Whoever chains transactions counts on the next one, though the end of one was lost."""

    def item(tag: str, strike: Callable[[], None] | None) -> Any:
        if strike is None:
            return outcome(lambda: insert(tag))
        strike()
        return outcome(lambda: run(NAME, sql))

    item.__name__ = sql
    return item


CHAINED = [chained("COMMIT AND CHAIN"), chained("ROLLBACK AND CHAIN")]
HOW = [swallowed, in_a_block, by_a_robust_hook, *CHAINED]


def finished() -> list[str]:
    piece_of_work_ends(NAME)
    insert("afterwards")
    connections[NAME].close()
    return sorted(tag for (tag,) in admin("SELECT tag FROM note"))


def cell(state: str, item: Callable[..., Any], at: int) -> list[Any]:
    begins, ends = STATES[state]
    admin("DELETE FROM note")
    me = session_id(NAME)
    if NAME == CHECKED:
        piece_of_work_ends(NAME)  # Django looks whether the connection lives, once, in the next one
    for sql in begins:
        run(NAME, sql)
    told = [item(f"i{number}", (lambda: kill(me)) if number == at else None) for number in range(4)]
    ended = [outcome(lambda sql=sql: run(NAME, sql)) for sql in ends]
    return [plainly(told), plainly(ended), finished()]


def anew(state: str) -> list[Any]:
    """A thread without requests: its next job takes up anew what it needs, and goes on."""
    begins, ends = STATES[state]
    admin("DELETE FROM note")
    me = session_id(NAME)
    for sql in begins:
        run(NAME, sql)
    insert("before")
    kill(me)
    told = [outcome(lambda: insert("lost")), outcome(lambda: insert("refused"))]
    for sql in begins:
        run(NAME, sql)
    told.append(outcome(lambda: insert("anew")))
    for sql in ends:
        run(NAME, sql)
    connections[NAME].close()
    return plainly(told)


class Watching(Wrapper):  # type: ignore[misc]
    """One whose cursors are made in Django's own way."""

    def make_cursor(self, cursor: Any) -> Any:
        return super().make_cursor(cursor)


def leaves_with_a_cursor(name: str) -> list[Any]:
    """What a block has needed is given back through a cursor, before the block is left."""
    admin("DELETE FROM note")
    wrapper = connections[name]

    def work() -> None:
        block = transaction.atomic(name)
        block.__enter__()
        try:
            run(name, "INSERT INTO note (tag) VALUES ('in it')")
            kill(session_id(name))
            run(name, "INSERT INTO note (tag) VALUES ('lost')")
        finally:
            error = sys.exc_info()
            cursor = wrapper.cursor()
            told.append(transaction.get_autocommit(name))
            block.__exit__(*error)
            outcome(lambda: cursor.execute("UNLOCK TABLES"))

    told: list[Any] = []
    told += [*plainly([outcome(work)]), wrapper.in_atomic_block]
    piece_of_work_ends(name)
    told.append(outcome(lambda: run(name, "INSERT INTO note (tag) VALUES ('afterwards')")))
    wrapper.close()
    return [*told, sorted(tag for (tag,) in admin("SELECT tag FROM note"))]


def with_a_receiver() -> list[Any]:
    """A site's receiver sets up each connection; a lock is lost, and taken up anew."""
    name = alias(CONN_MAX_AGE=None)

    def sets_up(connection: Any, **_: Any) -> None:
        if connection.alias == name:
            with connection.cursor() as cursor:
                cursor.execute("SET @tenant = 5")

    admin("DELETE FROM note")
    connection_created.connect(sets_up)
    lock, add = STATES["GET_LOCK"][0][0], "INSERT INTO note (tag) VALUES (@tenant)"
    me = session_id(name)
    run(name, lock)
    kill(me)
    told = plainly([outcome(lambda sql=sql: run(name, sql)) for sql in (add, add, lock, add)])
    connections[name].close()
    connection_created.disconnect(sets_up)
    return [told, [tag for (tag,) in admin("SELECT tag FROM note")]]


HELD = {
    "nothing": [],
    "table": STATES["temporary table"][0],
    "lock": STATES["GET_LOCK"][0],
    "variable": STATES["SELECT :="][0],
}


def held(begins: list[str]) -> Callable[[], None]:
    """Take what is to be lost; what is returned loses it."""
    me = session_id(NAME)
    for sql in begins:
        run(NAME, sql)
    return lambda: kill(me)


def block_that_only_reads(begins: list[str]) -> None:
    strike = held(begins)
    with transaction.atomic(NAME):
        run(NAME, "SELECT 1")
        strike()


def block_whose_commit_is_lost(begins: list[str]) -> None:
    with transaction.atomic(NAME):
        strike = held(begins)
        insert("in it")
        strike()


def block_in_a_manual_one(begins: list[str]) -> None:
    connections[NAME].set_autocommit(False)
    strike = held(begins)
    with transaction.atomic(NAME):
        insert("in it")
        strike()
        insert("lost")


def end_of_a_manual_one(begins: list[str]) -> None:
    connections[NAME].set_autocommit(False)
    strike = held(begins)
    insert("in it")
    connections[NAME].commit()
    strike()
    connections[NAME].set_autocommit(True)


def rollback_of_nothing(begins: list[str]) -> None:
    held(begins)()
    connections[NAME].rollback()


def temporary_connection(begins: list[str]) -> None:
    held(begins)()
    outcome(lambda: insert("lost"))
    with connections[NAME].temporary_connection() as cursor:
        cursor.execute("SELECT 1")


def connected_anew(begins: list[str]) -> None:
    held(begins)()
    outcome(lambda: insert("lost"))
    connections[NAME].connect()


def connected_anew_and_ended(begins: list[str]) -> None:
    connected_anew(begins)
    insert("connected")
    piece_of_work_ends(NAME)


WAYS = [
    block_that_only_reads,
    block_whose_commit_is_lost,
    block_in_a_manual_one,
    end_of_a_manual_one,
    rollback_of_nothing,
    temporary_connection,
    connected_anew,
    connected_anew_and_ended,
]


def goes_on(way: Callable[[list[str]], None], begins: list[str]) -> list[Any]:
    """What is stored of a piece of work that goes on after its loss, whoever swallowed that."""
    global NAME
    kept, NAME = NAME, alias(CONN_MAX_AGE=None)  # stock's may not come out of its block any more
    admin("DELETE FROM note")
    told = plainly([outcome(lambda: way(begins))]) if way is block_that_only_reads else []
    if not told:
        outcome(lambda: way(begins))
    outcome(lambda: insert("after"))

    def block() -> None:
        with transaction.atomic(NAME):
            insert("in a block")

    outcome(block)
    wrapper = connections[NAME]
    if not wrapper.in_atomic_block and not wrapper.autocommit:
        outcome(wrapper.rollback)
    wrapper.in_atomic_block = False
    wrapper.close()
    NAME = kept
    return told + sorted(tag for (tag,) in admin("SELECT tag FROM note"))


def closes_if_usable_says_so(wrapper: Any) -> None:
    if wrapper.connection and not wrapper.is_usable():
        wrapper.close()


def closes_after_errors(wrapper: Any) -> None:
    if wrapper.errors_occurred:
        wrapper.close()


def closes_if_the_driver_says_so(wrapper: Any) -> None:
    if wrapper.connection is not None:
        try:
            wrapper.connection.ping()
        except Exception:
            wrapper.close()


def has_it_checked(wrapper: Any) -> None:
    wrapper.health_check_enabled, wrapper.health_check_done = True, False
    wrapper.close_if_health_check_failed()


def forgets_it(wrapper: Any) -> None:
    if wrapper.connection is not None and not wrapper.is_usable():
        del connections[NAME]


REMEDIES = [
    closes_if_usable_says_so,
    closes_after_errors,
    closes_if_the_driver_says_so,
    has_it_checked,
    forgets_it,
]


def with_a_remedy(remedy: Callable[[Any], None], state: str) -> list[str]:
    """What becomes of the jobs of a thread that looks at its connection before each."""
    me = session_id(NAME)
    for sql in [*STATES[state][0], "SET time_zone = '+05:00'"]:
        run(NAME, sql)
    told = []
    for job in range(6):
        outcome(lambda: remedy(connections[NAME]))
        if job == 2:
            kill(me)
        told.append(outcome(lambda: insert("job")))
    connections[NAME].close()
    return plainly(told)


class Retrying(DjangosCursorWrapper):  # type: ignore[misc]
    """A site's own cursor: what it could not run it runs on another connection."""

    def __init__(self, wrapper: Any) -> None:
        self.wrapper = wrapper
        super().__init__(wrapper.connection.cursor())

    def execute(self, sql: str, params: Any = None) -> Any:
        try:
            return super().execute(sql, params)
        except Exception:
            self.wrapper.close()
            self.wrapper.connect()
            self.cursor = self.wrapper.connection.cursor()
            return super().execute(sql, params)


class RetryingEngine(Wrapper):  # type: ignore[misc]
    """One that makes such cursors."""

    def create_cursor(self, name: str | None = None) -> Any:
        return Retrying(self)


def retried_by_the_cursor() -> list[Any]:
    """The session is ended while the statement runs: the cursor runs it again, and that is all."""
    name = alias(RetryingEngine, CONN_MAX_AGE=None)
    admin("DELETE FROM note")
    me = session_id(name)
    ender = threading.Thread(target=lambda: (time.sleep(0.3), kill(me)))
    ender.start()
    told = outcome(lambda: run(name, "INSERT INTO note (tag) SELECT CONCAT('it', SLEEP(0.6))"))
    ender.join()
    after = outcome(lambda: run(name, "INSERT INTO note (tag) VALUES ('after')"))
    connections[name].close()
    return [told, after, sorted(tag for (tag,) in admin("SELECT tag FROM note"))]


def in_a_child(state: str) -> list[Any]:
    """A daemon forks with the state in hand: it has none of it, whoever logs that and goes on."""
    begins, ends = STATES[state]
    admin("DELETE FROM note")
    session_id(NAME)
    for sql in begins:
        run(NAME, sql)
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        told = [outcome(lambda number=number: insert(f"i{number}")) for number in range(4)]
        ended = [outcome(lambda sql=sql: run(NAME, sql)) for sql in ends]
        connections[NAME].close()
        afterwards = outcome(lambda: run(NAME, "SELECT 1"))
        connections[NAME].close()
        os.write(writes, json.dumps([plainly(told), plainly(ended), afterwards]).encode())
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as pipe:
        told = json.load(pipe)
    os.waitpid(child, 0)
    for sql in ends:
        run(NAME, sql)
    connections[NAME].close()
    return [*told, sorted(tag for (tag,) in admin("SELECT tag FROM note"))]


def plainly(told: list[Any]) -> list[str]:
    """Only whether there was an error: of a dead connection each driver says it in its own way."""
    return ["error" if isinstance(each, str) and "Error" in each else "ok" for each in told]


PLAIN, CHECKED = alias(CONN_MAX_AGE=None), alias(CONN_MAX_AGE=None, CONN_HEALTH_CHECKS=True)
NAME = PLAIN
run("default", TABLE)
connections["default"].close()
report: dict[str, Any] = {
    "goes on": {
        f"{way.__name__}, {kind}": outcome(lambda way=way, kind=kind: goes_on(way, HELD[kind]))
        for way in WAYS
        for kind in HELD
    },
    "anew": {},
    "remedies": {
        f"{remedy.__name__}, {state}": with_a_remedy(remedy, state)
        for remedy in REMEDIES
        for state in ("SET @who", "GET_LOCK", "temporary table", "BEGIN, committed", "PREPARE")
    },
    # Stock Django's child shares its parent's session.
    "forked": {state: in_a_child(state) for state in STATES if LIFELINE},
    "retried": retried_by_the_cursor(),
    "receiver": with_a_receiver(),
    "cursors": [leaves_with_a_cursor(NAME), leaves_with_a_cursor(alias(Watching))],
}
for state in STATES:
    for NAME in (PLAIN, CHECKED):
        for each in HOW:
            for at in range(4 if NAME == PLAIN else 2):
                ended = state.startswith(ENDED_BY_A_BLOCK)
                if ended and each in (in_a_block, by_a_robust_hook):
                    continue  # so that nothing is missed
                if not ended and each in CHAINED:
                    continue
                checked = "" if NAME == PLAIN else "; checked"
                report[f"{state}; {each.__name__}; {at}{checked}"] = outcome(
                    lambda state=state, each=each, at=at: cell(state, each, at)
                )
                connections[NAME].close()
    NAME = PLAIN
    report["anew"][state] = outcome(lambda state=state: anew(state))
    connections[NAME].close()
say(report)
