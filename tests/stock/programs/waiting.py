"""More threads than the pool has connections, each of which keeps its own for a while.

With stock Django each opens one. The pool's patience is short, so that who is kept waiting says so.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.db import connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.stock.programs.workshop import (
    LIFELINE,
    TABLE,
    Scenes,
    alias,
    one,
    outcome,
    run,
    say,
)

THREADS = 24
PATIENCE = 8
INSERT = "INSERT INTO note (tag) VALUES (%s)"
NAME = alias(OPTIONS={"pool": {"timeout": PATIENCE}} if LIFELINE else {})
scene = Scenes()


def in_threads(call: Callable[[threading.Barrier], Any], threads: int = THREADS) -> Any:
    """Run it in that many threads; how often each outcome came."""
    meet = threading.Barrier(threads, timeout=4 * PATIENCE)
    said: Counter[str] = Counter()

    def work() -> None:
        ended = outcome(lambda: call(meet))
        if isinstance(ended, list) and ended and str(ended[0]).startswith("Pool"):
            meet.abort()
        said[str(ended)] += 1
        connections[NAME].close()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return said


def stored(tag: str) -> int:
    """How many notes have this tag."""
    return int(one("default", "SELECT COUNT(*) FROM note WHERE tag = %s", [tag]))


@scene
def transactions_that_wait_for_one_another() -> Any:
    def work(meet: threading.Barrier) -> None:
        with transaction.atomic(NAME):
            run(NAME, INSERT, ["met"])
            meet.wait()

    return [in_threads(work), stored("met")]


@scene
def transactions_by_hand_that_wait_for_one_another() -> Any:
    def work(meet: threading.Barrier) -> None:
        connections[NAME].set_autocommit(False)
        run(NAME, INSERT, ["by hand"])
        meet.wait()
        connections[NAME].commit()
        connections[NAME].set_autocommit(True)

    return [in_threads(work), stored("by hand")]


@scene
def threads_with_settings_of_their_own() -> Any:
    def work(meet: threading.Barrier) -> Any:
        run(NAME, "SET time_zone = '+05:00'")
        meet.wait()
        return one(NAME, "SELECT @@time_zone")

    return in_threads(work)


@scene
def threads_with_locks() -> Any:
    def work(meet: threading.Barrier) -> Any:
        run(NAME, "SELECT GET_LOCK(CONCAT('mine ', CONNECTION_ID()), 0)")
        meet.wait()
        return one(NAME, "SELECT IS_USED_LOCK(CONCAT('mine ', CONNECTION_ID())) IS NOT NULL")

    return in_threads(work)


@scene
def results_read_row_by_row() -> Any:
    def work(meet: threading.Barrier) -> Any:
        with transaction.atomic(NAME), connections[NAME].chunked_cursor() as cursor:
            cursor.execute("SELECT 1 UNION SELECT 2 UNION SELECT 3")
            first = cursor.fetchone()
            meet.wait()
            return [first, cursor.fetchall()]

    return in_threads(work)


@scene
def row_that_one_has_locked_while_he_waits_for_the_others() -> Any:
    """Those who want it are in a statement that ends when he goes on, and he waits for the last."""
    run("default", INSERT, ["locked"])
    number = one("default", "SELECT id FROM note WHERE tag = 'locked'")
    change = f"UPDATE note SET tag = CONCAT(tag, '+') WHERE id = {number}"
    waiting = threading.Semaphore(0)
    has_it = threading.Event()

    def owner() -> Any:
        with transaction.atomic(NAME):
            run(NAME, change)
            has_it.set()
            for _ in range(THREADS - 1):
                if not waiting.acquire(timeout=4 * PATIENCE):
                    return "nobody came"
        return "went on"

    def other() -> Any:
        has_it.wait()
        with transaction.atomic(NAME):
            run(NAME, "SELECT 1")
            waiting.release()
            return run(NAME, change)

    turns = iter([owner] + [other] * (THREADS - 1))
    choose = threading.Lock()

    def work(meet: threading.Barrier) -> Any:
        with choose:
            turn = next(turns)
        return turn()

    return [sorted(in_threads(work).items()), stored("locked" + "+" * THREADS)]


@scene
def short_transactions_of_all_at_once() -> Any:
    """None is long, and each does something else meanwhile: with stock Django all are in one."""
    counting, all_in = threading.Lock(), threading.Event()
    inside = [0]

    def work(meet: threading.Barrier) -> Any:
        for _ in range(25 * PATIENCE):
            with transaction.atomic(NAME):
                run(NAME, INSERT, ["short"])
                with counting:
                    inside[0] += 1
                    if inside[0] == THREADS:
                        all_in.set()
                all_in.wait(0.04)
                with counting:
                    inside[0] -= 1
            if all_in.is_set():
                return "met"
        return "never met"

    return in_threads(work)


@scene
def transactions_of_more_than_the_account_may_have() -> Any:
    """Stock Django's are refused; those that wait for a connection have one in turn."""
    admin(f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}' WITH MAX_USER_CONNECTIONS 14")
    admin(f"GRANT ALL ON *.* TO '{USER}'@'%'")

    def work(meet: threading.Barrier) -> Any:
        with transaction.atomic(LIMITED):
            run(LIMITED, INSERT, ["limited"])
            threading.Event().wait(0.6)
        connections[LIMITED].close()
        return "ok"

    try:
        said = in_threads(work)
        return [said["ok"] >= 14, "refused" if LIFELINE and said["ok"] < THREADS else "in turn"]
    finally:
        admin(f"DROP USER '{USER}'@'%'")


USER, PASSWORD = SETUP["database"]["NAME"], "only-for-this-test"
LIMITED = alias(USER=USER, PASSWORD=PASSWORD)
run("default", TABLE)
connections["default"].close()
say(scene.report())
