"""Something is set, the session is lost, and whoever goes on swallows what he is told of that.

Each setting, beside each thing that may make the loss one to be told of; the session is ended, or
the server is not to be had until the third step; each first step after the loss. What is asked for
in the end is as it was set, or the question is refused: it is never what a new session has.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from django.db import connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.stock.programs.workshop import TABLE, alias, kill, one, outcome, run, say

MAIN = SETUP["database"]["NAME"]
OTHER, USER, PASSWORD = f"{MAIN}_other", MAIN, "only-for-this-test"

SETTINGS = {
    "time_zone": ("SET time_zone = '+05:00'", "SELECT @@time_zone", "SET time_zone = '+07:00'"),
    "database": (f"USE {OTHER}", "SELECT DATABASE()", f"USE {MAIN}"),
    "names": (
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
        "SELECT @@collation_connection",
        "SET NAMES latin1",
    ),
    "checks": (
        "SET foreign_key_checks = 0",
        "SELECT @@foreign_key_checks",
        "SET unique_checks = 0",
    ),
}
PART = frozenset(os.environ["PART"].split())
"""Which of these, by name."""
BESIDE: dict[str, tuple[list[str], list[str]]] = {
    "nothing": ([], []),
    "another": ([], ["SET lock_wait_timeout = 77"]),
    "EXECUTE that fails": ([], ["EXECUTE nothing"]),
    "EXECUTE that fails, before": (["EXECUTE nothing"], []),
    "CALL": ([], ["CALL nothing_much()"]),
    "CALL, before": (["CALL nothing_much()"], []),
    "BEGIN": ([], ["BEGIN"]),
    "BEGIN, before": (["BEGIN"], []),
    "lock": ([], ["SELECT GET_LOCK('beside', 0)"]),
    "prepared, before": (["PREPARE it FROM 'SELECT 1'"], []),
}
"""What is run before and after it."""


def set_another(setting: str) -> None:
    """Set the same to something else, or something else of its kind."""
    run(NAME, SETTINGS[setting][2])


def block(_: str) -> None:
    with transaction.atomic(NAME):
        run(NAME, "INSERT INTO note (tag) VALUES ('x')")


def empty_block(_: str) -> None:
    with transaction.atomic(NAME):
        pass


def by_hand(_: str) -> None:
    connections[NAME].set_autocommit(False)
    try:
        run(NAME, "INSERT INTO note (tag) VALUES ('x')")
        connections[NAME].commit()
    finally:
        connections[NAME].set_autocommit(True)


FIRST: dict[str, Callable[[str], Any]] = {
    "read": lambda _: run(NAME, "SELECT 1"),
    "write": lambda _: run(NAME, "INSERT INTO note (tag) VALUES ('x')"),
    "cursor": lambda _: connections[NAME].cursor(),
    "ensure_connection": lambda _: connections[NAME].ensure_connection(),
    "is_usable": lambda _: connections[NAME].is_usable(),
    "get_autocommit": lambda _: connections[NAME].get_autocommit(),
    "rollback": lambda _: connections[NAME].rollback(),
    "set_another": set_another,
    "set what is no literal": lambda _: run(NAME, "SET sql_mode = CONCAT(@@sql_mode)"),
    "asks": lambda _: run(NAME, "SELECT LAST_INSERT_ID()"),
    "block": block,
    "empty_block": empty_block,
    "by_hand": by_hand,
}


def theirs() -> list[int]:
    rows = admin(f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'")
    return [int(row[0]) for row in rows]


def cell(setting: str, beside: str, first: str, away: bool) -> list[Any]:
    """What was asked for: as set, after the first two steps, and in the next piece of work."""
    sets, asks, _ = SETTINGS[setting]
    before, behind = BESIDE[beside]
    for sql in (*before, sets, *behind):
        outcome(lambda sql=sql: run(NAME, sql))
    was = one(NAME, asks)
    if away:
        admin(f"ALTER USER '{USER}'@'%' ACCOUNT LOCK")
    kill(*theirs())
    said = outcome(lambda: FIRST[first](setting))
    if away:
        said = outcome(lambda: FIRST[first](setting))
        admin(f"ALTER USER '{USER}'@'%' ACCOUNT UNLOCK")
    wrapper = connections[NAME]
    told = [outcome(lambda: one(NAME, asks)) for _ in range(2)]
    stuck = [wrapper.in_atomic_block, wrapper.autocommit]
    wrapper.in_atomic_block = False
    wrapper.close()
    after = outcome(lambda: one(NAME, asks))
    wrapper.close()
    if first == "set_another" and "Error" not in str(said):
        return [was, was, was, after, stuck]  # it is what was set last, then
    return [was, *told, after, stuck]


admin(f"CREATE DATABASE {OTHER}")
for database in (MAIN, OTHER):
    admin(TABLE.replace("note", f"{database}.note"))
    admin(f"CREATE PROCEDURE {database}.nothing_much() BEGIN END")
connections["default"].close()
admin(f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'")
admin(f"GRANT ALL ON *.* TO '{USER}'@'%'")
report: dict[str, Any] = {}
try:
    NAME = alias(USER=USER, PASSWORD=PASSWORD, CONN_MAX_AGE=None)
    for away in (False, True):
        for setting in SETTINGS:
            if setting not in PART:
                continue
            for beside in BESIDE:
                for first in FIRST:
                    report[f"{setting}, {beside}, {first}, {away}"] = cell(
                        setting, beside, first, away
                    )
finally:
    for name in connections:
        connections[name].close()
    admin(f"DROP USER '{USER}'@'%'")
    admin(f"DROP DATABASE {OTHER}")
say(json.loads(json.dumps(report, default=str).replace(MAIN, "here")))
