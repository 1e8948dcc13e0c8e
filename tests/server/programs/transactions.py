"""Transactions that lose their connection, at each point where that can happen."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections, transaction
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import path
from tests.fixtures.program_setup import SETUP
from tests.server.programs.toolbox import (
    Checks,
    Row,
    create_table,
    kill,
    one,
    outcome,
    run,
    say,
    session_id,
    stored,
)

from lifeline_lab.wire import WireProxy

check = Checks()
proxy: WireProxy
INSERT = "INSERT INTO row_written (tag, number) VALUES (%s, %s)"


def write(alias: str, number: int = 1) -> None:
    run(alias, INSERT, [alias, number])


def after(alias: str, said: str, **more: Any) -> dict[str, Any]:
    """How it ended, what is stored, and whether the connection works in and out of atomic."""
    rows = stored(alias)

    def use() -> int:
        with transaction.atomic(alias):
            return int(one(alias, "SELECT 7"))

    state = connections[alias]
    clean = not state.in_atomic_block and not state.needs_rollback and state.get_autocommit()
    next_ones = [outcome(lambda: one(alias, "SELECT 7")), outcome(use)]
    return {"said": said, "stored": rows, "next": next_ones, "clean": clean, **more}


def block(alias: str, *steps: Callable[[], Any]) -> dict[str, Any]:
    """Run the steps in one ``atomic`` with a hook; tell what became of all of it."""
    hooks: list[str] = []

    def atomic() -> None:
        with transaction.atomic(alias):
            transaction.on_commit(lambda: hooks.append("ran"), using=alias)
            for step in steps:
                step()

    return after(alias, outcome(atomic), hooks=len(hooks))


# G3: a transaction is never continued on another connection


@check
def lost_before_its_first_statement(alias: str) -> Any:
    session = session_id(alias)
    return block(alias, lambda: kill(session), lambda: write(alias))


@check
def lost_between_two_writes(alias: str) -> Any:
    session = session_id(alias)
    return block(alias, lambda: write(alias), lambda: kill(session), lambda: write(alias, 2))


@check
def lost_between_two_reads(alias: str) -> Any:
    session = session_id(alias)

    def read() -> None:
        one(alias, "SELECT COUNT(*) FROM row_written")

    return block(alias, read, lambda: kill(session), read)


@check
def lost_in_flight(alias: str) -> Any:
    session_id(alias)
    proxy.on("VALUES.*, 2", "after_send")
    return block(alias, lambda: write(alias), lambda: write(alias, 2))


@check
def first_write_lost_in_flight(alias: str) -> Any:
    session_id(alias)
    proxy.on("VALUES.*, 1", "mid_answer")
    return block(alias, lambda: write(alias))


@check
def first_read_lost_in_flight(alias: str) -> Any:
    session_id(alias)
    proxy.on("SELECT 77", "after_send")
    return block(alias, lambda: one(alias, "SELECT 77"), lambda: write(alias))


@check
def lost_in_a_nested_block(alias: str) -> Any:
    session = session_id(alias)

    def inner() -> None:
        with transaction.atomic(alias):
            kill(session)
            write(alias, 2)

    return block(alias, lambda: write(alias), inner, lambda: write(alias, 3))


@check
def lost_in_a_nested_block_and_swallowed(alias: str) -> Any:
    session = session_id(alias)
    told: list[str] = []

    def inner() -> None:
        with transaction.atomic(alias):
            kill(session)
            write(alias, 2)

    result = block(
        alias,
        lambda: write(alias),
        lambda: told.append(outcome(inner)),
        lambda: told.append(outcome(lambda: write(alias, 3))),
    )
    return result | {"inner": told[0], "later_write_refused": not told[1].startswith("ok")}


@check
def lost_before_a_savepoint(alias: str) -> Any:
    session = session_id(alias)

    def inner() -> None:
        with transaction.atomic(alias):
            write(alias, 2)

    return block(alias, lambda: write(alias), lambda: kill(session), inner)


@check
def lost_before_a_return_to_a_savepoint(alias: str) -> Any:
    session = session_id(alias)

    class Changed(Exception):
        pass

    def inner() -> None:
        try:
            with transaction.atomic(alias):
                write(alias, 2)
                kill(session)
                raise Changed
        except Changed:
            pass

    return block(alias, lambda: write(alias), inner, lambda: write(alias, 3))


@check
def swallowed_loss(alias: str) -> Any:
    session = session_id(alias)
    told: list[str] = []
    result = block(
        alias,
        lambda: write(alias),
        lambda: kill(session),
        lambda: told.append(outcome(lambda: write(alias, 2))),
    )
    return result | {"inner": told[0]}


@check
def swallowed_loss_in_the_one_and_only_write(alias: str) -> Any:
    session_id(alias)
    proxy.on("VALUES.*, 1", "mid_answer")
    told: list[str] = []
    result = block(alias, lambda: told.append(outcome(lambda: write(alias))))
    return result | {"inner": told[0]}


@check
def lost_and_the_block_raises_something_else(alias: str) -> Any:
    session = session_id(alias)

    def fail() -> None:
        with transaction.atomic(alias):
            write(alias)
            kill(session)
            raise LookupError("mine")

    try:
        fail()
        said = "ok"
    except LookupError:
        said = "LookupError"
    return after(alias, said)


@check
def closed_inside(alias: str) -> Any:
    session_id(alias)
    told: list[str] = []
    result = block(
        alias,
        lambda: write(alias),
        lambda: connections[alias].close(),
        lambda: told.append(outcome(lambda: write(alias, 2))),
    )
    return {"stored": result["stored"], "next": result["next"], "inner": told[0].split()[0]}


@check
def durable(alias: str) -> Any:
    session = session_id(alias)

    def atomic() -> None:
        with transaction.atomic(alias, durable=True):
            Row.objects.using(alias).create(tag=alias)
            kill(session)
            Row.objects.using(alias).create(tag=alias)

    return after(alias, outcome(atomic))


@check
def manual_transaction(alias: str) -> Any:
    session = session_id(alias)
    transaction.set_autocommit(False, alias)
    write(alias)
    kill(session)
    said = outcome(lambda: write(alias, 2))
    again = outcome(lambda: write(alias, 3))
    commit = outcome(lambda: transaction.commit(alias))
    halves = stored(alias)
    rollback = outcome(lambda: transaction.rollback(alias))
    anew = [outcome(lambda: write(alias, 4)), outcome(lambda: transaction.rollback(alias))]
    anew += [outcome(lambda: write(alias, 5)), outcome(lambda: transaction.commit(alias))]
    outcome(lambda: transaction.set_autocommit(True, alias))
    return {
        "said": said,
        "again_refused": not again.startswith("ok"),
        "commit_refused": not commit.startswith("ok"),
        "halves": halves,
        "rollback": rollback,
        "anew": anew,
        "stored": stored(alias),
    }


@check
def manual_transaction_lost_before_commit(alias: str) -> Any:
    session = session_id(alias)
    transaction.set_autocommit(False, alias)
    write(alias)
    kill(session)
    said = outcome(lambda: transaction.commit(alias))
    outcome(lambda: transaction.rollback(alias))
    outcome(lambda: transaction.set_autocommit(True, alias))
    return after(alias, said)


@check
def raw_begin(alias: str) -> Any:
    session = session_id(alias)
    run(alias, "BEGIN")
    write(alias)
    kill(session)
    said = outcome(lambda: write(alias, 2))
    following = outcome(lambda: one(alias, "SELECT 7"))
    outcome(lambda: run(alias, "ROLLBACK"))
    ended = outcome(lambda: one(alias, "SELECT 7"))
    return {"said": said, "stored": stored(alias), "next": [following, ended]}


@check
def raw_begin_and_commit(alias: str) -> Any:
    session = session_id(alias)
    run(alias, "START TRANSACTION")
    write(alias)
    kill(session)
    said = outcome(lambda: run(alias, "COMMIT"))
    return {"said": said, "stored": stored(alias)}


@check
def atomic_request(alias: str) -> Any:
    """A page that loses its connection in the middle, then one that does not."""
    connections.settings[alias]["ATOMIC_REQUESTS"] = True
    session = session_id(alias)
    steps[:] = [lambda: write(alias), lambda: kill(session), lambda: write(alias, 2)]
    first = get("/")
    steps[:] = [lambda: write(alias, 3)]
    second = get("/")
    connections.settings[alias]["ATOMIC_REQUESTS"] = False
    return {"pages": [first, second], "stored": stored(alias)}


@check
def lost_after_an_implicit_commit(alias: str) -> Any:
    """DDL stores what came before it, so the transaction cannot be called rolled back."""
    session = session_id(alias)
    table = alias.replace("-", "_")[:60]
    return block(
        alias,
        lambda: write(alias),
        lambda: run(alias, f"CREATE TABLE {table} (a INT)"),
        lambda: write(alias, 2),
        lambda: kill(session),
        lambda: write(alias, 3),
    )


@check
def lost_before_commit_after_an_implicit_commit(alias: str) -> Any:
    session = session_id(alias)
    table = alias.replace("-", "_")[:60]
    return block(
        alias,
        lambda: write(alias),
        lambda: run(alias, f"CREATE TABLE {table} (a INT)"),
        lambda: kill(session),
    )


@check
def manual_transaction_lost_and_given_up(alias: str) -> Any:
    """A request that leaves a lost transaction behind must not spoil the next one."""
    session = session_id(alias)
    transaction.set_autocommit(False, alias)
    write(alias)
    kill(session)
    said = outcome(lambda: write(alias, 2))
    enabled = outcome(lambda: transaction.set_autocommit(True, alias))
    with contextlib.suppress(Exception):
        connections[alias].close_if_unusable_or_obsolete()
    return {"said": said, "enabled": enabled, **after(alias, "")}


@check
def nothing_lost_but_the_connection(alias: str) -> Any:
    """With autocommit off and nothing done, the mode outlives the connection."""
    session = session_id(alias)
    transaction.set_autocommit(False, alias)
    kill(session)
    said = [outcome(lambda: transaction.rollback(alias)), outcome(lambda: write(alias))]
    before = stored(alias)
    said.append(outcome(lambda: transaction.commit(alias)))
    return {"said": said, "before": before, "stored": stored(alias)}


# G4: an acknowledged COMMIT is a success, one without an answer is told as such


def lose_after_commit(alias: str) -> Callable[[], None]:
    """Have the connection lost between COMMIT and whatever is done next; call it in the block."""
    session = session_id(alias)
    if alias.startswith("stock"):
        proxy.on(r"^SET autocommit\s*=\s*1", "before")
    return lambda: transaction.on_commit(lambda: kill(session), using=alias)


@check
def lost_after_the_answer_to_commit(alias: str) -> Any:
    return block(alias, lose_after_commit(alias), lambda: write(alias))


@check
def lost_after_the_answer_to_commit_with_state(alias: str) -> Any:
    """A pinned session goes Django's own way, with SET autocommit."""
    one(alias, "SELECT GET_LOCK(%s, 0)", [alias[:60]])
    proxy.on(r"^SET autocommit\s*=\s*1", "before")
    return block(alias, lambda: write(alias))


@check
def hook_that_writes_after_a_loss(alias: str) -> Any:
    return block(
        alias,
        lose_after_commit(alias),
        lambda: write(alias),
        lambda: transaction.on_commit(lambda: write(alias, 2), using=alias),
    )


@check
def commit_without_an_answer(alias: str) -> Any:
    session_id(alias)
    proxy.on("^COMMIT", "mid_answer")
    return block(alias, lambda: write(alias))


@check
def commit_that_never_arrived(alias: str) -> Any:
    session_id(alias)
    proxy.on("^COMMIT", "before")
    return block(alias, lambda: write(alias))


@check
def commit_not_sent(alias: str) -> Any:
    session = session_id(alias)
    return block(alias, lambda: write(alias), lambda: kill(session))


@check
def read_only_commit_not_sent(alias: str) -> Any:
    session = session_id(alias)
    return block(alias, lambda: one(alias, "SELECT 1"), lambda: kill(session))


@check
def read_only_commit_without_an_answer(alias: str) -> Any:
    session_id(alias)
    proxy.on("^COMMIT", "mid_answer")
    return block(alias, lambda: one(alias, "SELECT 1"))


@check
def empty_block_lost(alias: str) -> Any:
    session = session_id(alias)
    return block(alias, lambda: kill(session))


@check
def manual_commit_without_an_answer(alias: str) -> Any:
    session_id(alias)
    transaction.set_autocommit(False, alias)
    write(alias)
    proxy.on("^COMMIT", "mid_answer")
    said = outcome(lambda: transaction.commit(alias))
    outcome(lambda: transaction.rollback(alias))
    outcome(lambda: transaction.set_autocommit(True, alias))
    return after(alias, said)


@check
def autocommit_switched_on_without_an_answer(alias: str) -> Any:
    """Enabling autocommit commits what is open."""
    session_id(alias)
    transaction.set_autocommit(False, alias)
    write(alias)
    proxy.on(r"^COMMIT|^SET autocommit", "mid_answer")
    said = outcome(lambda: transaction.set_autocommit(True, alias))
    return {"said": said, "stored": stored(alias)}


@check
def raw_commit_that_ends_its_own_session(alias: str) -> Any:
    """MariaDB answers 1927 after having committed."""
    session_id(alias)
    run(alias, "BEGIN")
    write(alias)
    said = outcome(lambda: run(alias, "COMMIT; KILL CONNECTION_ID()"))
    used = outcome(lambda: one(alias, "SELECT 7"))
    return {"said": said, "stored": stored(alias), "next": used}


steps: list[Callable[[], Any]] = []
"""What the page does."""


def view(request: Any) -> HttpResponse:
    for step in steps:
        step()
    return HttpResponse("fine")


urlpatterns = [path("", view)]


def get(address: str) -> int:
    """Ask the real handler, request signals included; return the status."""
    statuses: list[str] = []
    environ = RequestFactory().get(address).environ
    response = WSGIHandler()(environ, lambda status, headers: statuses.append(status))
    response.close()
    return int(statuses[0].split()[0])


def main() -> None:
    global proxy
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["*"]
    settings.LOGGING_CONFIG = None
    create_table()
    with WireProxy(SETUP["database"]["HOST"], SETUP["database"]["PORT"]) as proxy:
        say(check.report(PORT=proxy.port))


if __name__ == "__main__":
    main()
