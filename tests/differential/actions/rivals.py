"""Steps in which another session gets in the way: deadlocks and waits for locks.

Which session is the victim of a deadlock is decided by weight, so the other one first writes many
rows. Nothing depends on time: it is waited for until the server shows the other one waiting.
"""

from __future__ import annotations

import threading
from typing import Any

from tests.differential.actions.place import Place, action, stage
from tests.differential.ground import wait_until

BALLAST = ", ".join(f"({n})" for n in range(300))


@action
def deadlock(place: Place) -> Any:
    """1213 for the step, where it is in a transaction; otherwise there is no lock to fight for."""
    place.execute("UPDATE duel SET a = a + 1 WHERE id = 1")
    ground = place.arm.ground
    rival = ground.connect(database=ground.database(place.db))
    cursor = rival.cursor()
    number = rival.thread_id()
    try:
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 20")
        cursor.execute("BEGIN")
        cursor.execute(f"INSERT INTO ballast VALUES {BALLAST}")
        cursor.execute("UPDATE duel SET a = 5 WHERE id = 2")
        done = threading.Event()

        def wait_for_lock() -> None:
            cursor.execute("UPDATE duel SET a = 5 WHERE id = 1")
            done.set()

        thread = threading.Thread(target=wait_for_lock)
        thread.start()
        waiting = (
            "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
            f" AND trx_mysql_thread_id = {number}"
        )
        observer = ground.connect()

        def fights() -> bool:
            with observer.cursor() as watching:
                return done.is_set() or bool(watching.execute(waiting))

        wait_until(fights, 10)
        observer.close()
        if done.is_set():
            thread.join()
            return "no lock was held"
        try:
            return place.execute("SELECT a FROM duel WHERE id = 2 FOR UPDATE")
        finally:
            thread.join()
    finally:
        cursor.execute("ROLLBACK")
        rival.close()


@stage
def rival_locks(place: Place) -> Any:
    """Another session locks a row, until it is told to let go."""
    ground = place.arm.ground
    rival = ground.connect(database=ground.database(place.db))
    rival.cursor().execute("BEGIN")
    place.arm.rivals.append(rival)
    found = rival.cursor().execute("SELECT a FROM duel WHERE id = 2 FOR UPDATE SKIP LOCKED")
    return bool(found)


@stage
def rival_lets_go(place: Place) -> None:
    while place.arm.rivals:
        place.arm.rivals.pop().close()


@action
def fight(place: Place) -> Any:
    """1205 after a second where the rival has the row; Django's own words for not waiting."""
    return place.execute("UPDATE duel SET a = a + 1 WHERE id = 2")


@action
def fight_at_once(place: Place) -> Any:
    return place.execute("SELECT a FROM duel WHERE id = 2 FOR UPDATE NOWAIT")
