"""What must be true after an interruption, whatever it broke into."""

from __future__ import annotations

import threading
from typing import Any

from django.db import connection, connections, transaction

from django_lifeline import pools
from tests.interruption.workloads import (
    MAX_SIZE,
    PATIENCE,
    Admin,
    Item,
    Scene,
    wait_until,
)

SHORT_LOCK_WAIT = 1


class Borrower(threading.Thread):
    """Stores a row, then holds a connection together with all other borrowers."""

    def __init__(self, scene: Scene, number: int, here: threading.Barrier) -> None:
        super().__init__(daemon=True)
        self.scene = Scene(scene.admin, f"{scene.token} borrower {number}")
        self.here = here
        self.session = 0
        self.complaint = ""

    def run(self) -> None:
        try:
            self.borrow()
        except threading.BrokenBarrierError:
            self.complaint = self.complaint or "was left alone by another borrower"
        except Exception as error:
            self.complaint = f"{type(error).__name__}: {error}"
            self.here.abort()
        finally:
            connection.close()

    def borrow(self) -> None:
        """Use the pool as any thread does."""
        self.scene.create("stored")
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT CONNECTION_ID(), @stain, @@sql_mode")
            self.session, stain, mode = cursor.fetchone()
            if stain is not None or "ANSI_QUOTES" in mode:
                self.complaint = f"sees another's session: {stain!r}, {mode!r}"
            self.scene.read()
            found = Item.objects.get(token=self.scene.token)
            assert found.token == self.scene.token, f"got another's row {found.token!r}"
            self.here.wait(PATIENCE)


def after_catching(scene: Scene) -> list[str]:
    """Use the interrupted wrapper at once, as who has caught what broke in; call in its thread.

    It may refuse. But what it acknowledges is stored.
    """
    again = Scene(scene.admin, f"{scene.token} at once")
    try:
        if connection.in_atomic_block or not connection.get_autocommit():
            return []
        again.create("stored")
    except Exception:
        return []
    if not _rows(scene.admin, again.token):
        return ["a write that was acknowledged right after the interruption is not stored"]
    return []


def after_going_on(scene: Scene) -> list[str]:
    """Use the interrupted wrapper for its next piece of work; call in its own thread."""
    again = Scene(scene.admin, f"{scene.token} again")
    try:
        again.create("stored")
        again.read()
        found = Item.objects.get(token=again.token)
        assert found.token == again.token, f"got another's row {found.token!r}"
    except Exception as error:
        return [f"the wrapper does not work again: {type(error).__name__}: {error}"]
    if not _rows(scene.admin, again.token):
        return ["the wrapper's next acknowledged write is not stored"]
    return []


def locks_are_free(admin: Admin, token: str) -> list[str]:
    """Write where the interrupted work wrote."""
    admin(f"SET SESSION innodb_lock_wait_timeout = {SHORT_LOCK_WAIT}")
    try:
        admin("UPDATE interruption_item SET label = label WHERE token = %s", token)
    except Exception as error:
        return [f"a row is locked by what was left of the transaction: {error}"]
    return []


def stored_as_allowed(scene: Scene, allowed: tuple[tuple[str, ...], ...]) -> list[str]:
    """Look at the rows that the work has left; hooks ran at most once, and only with rows."""
    rows = _rows(scene.admin, scene.token)
    problems = []
    if rows not in allowed:
        problems.append(f"stored is {rows}, which is none of {allowed}")
    if scene.hooks and (scene.hooks != ["ran"] or not rows):
        problems.append(f"hooks {scene.hooks} with rows {rows}")
    return problems


def pool_is_whole(scene: Scene) -> list[str]:
    """Let as many threads as there are slots hold a connection at the same time."""
    pool = pools["default"]
    before = pool.stats()
    here = threading.Barrier(MAX_SIZE)
    borrowers = [Borrower(scene, number, here) for number in range(MAX_SIZE)]
    for borrower in borrowers:
        borrower.start()
    for borrower in borrowers:
        borrower.join(PATIENCE)
    if any(borrower.is_alive() for borrower in borrowers):
        raise Hung("borrowers hang")
    problems = [f"a borrower: {found.complaint}" for found in borrowers if found.complaint]
    ids = {borrower.session for borrower in borrowers}
    if not problems and len(ids) != MAX_SIZE:
        problems.append("one connection in two hands")
    if not problems:
        problems += [
            "a borrower's acknowledged write is not stored"
            for borrower in borrowers
            if not _rows(scene.admin, borrower.scene.token)
        ]
    after = pool.stats()
    if max(before.size + before.connecting, after.size + after.connecting) > MAX_SIZE:
        problems.append(f"more slots than max_size: {before}, {after}")
    return problems + _few_sessions(scene.admin) + _lock_is_free()


class Hung(Exception):
    """Nothing goes on any more in this process."""


def _few_sessions(admin: Admin) -> list[str]:
    try:
        wait_until(lambda: len(admin.sessions()) <= MAX_SIZE)
    except TimeoutError:
        return [f"{len(admin.sessions())} sessions at the server"]
    return []


def _lock_is_free() -> list[str]:
    lock: Any = getattr(connections["default"].pool, "_lock", None)
    if lock is None:
        return []
    got: list[bool] = []

    def take() -> None:
        got.append(lock.acquire(timeout=PATIENCE))
        if got[0]:
            lock.release()

    taker = threading.Thread(target=take, daemon=True)
    taker.start()
    taker.join(PATIENCE + 1)
    if got != [True]:
        raise Hung("the pool's lock is held by nobody")
    return []


def _rows(admin: Admin, token: str) -> tuple[str, ...]:
    sql = "SELECT label FROM interruption_item WHERE token = %s ORDER BY label"
    return tuple(label for [label] in admin(sql, token))
