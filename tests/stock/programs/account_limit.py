"""An account may have four sessions: one alias uses them up in a burst, then another is asked."""

from __future__ import annotations

import threading

from django.db import connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.stock.programs.workshop import (
    LIFELINE,
    alias,
    one,
    outcome,
    piece_of_work_ends,
    say,
    wait_until,
)

LIMIT = 4
USER, PASSWORD = SETUP["database"]["NAME"], "only-for-this-test"
here = threading.Barrier(LIMIT, timeout=20)


def burst() -> None:
    with transaction.atomic(ONE):
        one(ONE, "SELECT 1")
        here.wait()
    piece_of_work_ends(ONE)
    connections[ONE].close()


def sessions() -> int:
    return len(admin(f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'"))


def another() -> object:
    said = outcome(lambda: one(TWO, "SELECT 2"))
    piece_of_work_ends(TWO)
    return said


admin(f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}' WITH MAX_USER_CONNECTIONS {LIMIT}")
admin(f"GRANT ALL ON *.* TO '{USER}'@'%'")
try:
    # So that one keeps all of them: by itself a pool would keep one where so few are allowed.
    options = {"pool": {"max_size": LIMIT}} if LIFELINE else {}
    ONE, TWO = (
        alias(USER=USER, PASSWORD=PASSWORD, CONN_MAX_AGE=0, OPTIONS=options) for _ in range(2)
    )
    threads = [threading.Thread(target=burst) for _ in range(LIMIT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = sessions() if LIFELINE else wait_until(lambda: not sessions()) or LIMIT
    report = {"kept": kept, "said": [another() for _ in range(3)], "within": sessions() <= LIMIT}
finally:
    for name in connections:
        connections[name].close()
    admin(f"DROP USER '{USER}'@'%'")
say(report)
