"""A trigger, or a function that a view calls, leaves something in the session; no text says so.

Each such thing; made by somebody else before, or through the very connection that is used. What
its author asks for is his own, also where another thread wants the only connection meanwhile; it
is missed where the session is lost; and nobody finds it afterwards.
"""

from __future__ import annotations

import threading
from typing import Any

from django.db import connections
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import (
    LIFELINE,
    TABLE,
    alias,
    forget,
    in_thread,
    kill,
    outcome,
    piece_of_work_ends,
    run,
    say,
    session_id,
    wait_until,
)

LAST = "SELECT @last"
LOCKED = "SELECT COALESCE(IS_USED_LOCK('hidden') = CONNECTION_ID(), 0)"
MADE: dict[str, tuple[list[str], str, str]] = {
    "trigger sets": (
        ["CREATE TRIGGER t BEFORE INSERT ON note FOR EACH ROW SET @last = NEW.tag"],
        "INSERT INTO note (tag) VALUES (%s)",
        LAST,
    ),
    "trigger sets among others": (
        [
            "CREATE TRIGGER t BEFORE UPDATE ON note FOR EACH ROW"
            " BEGIN DECLARE x INT; IF NEW.id > 0 THEN SET x = 1, @last = NEW.tag; END IF; END"
        ],
        "UPDATE note SET tag = CONCAT(%s, id - id)",
        LAST,
    ),
    "trigger selects into": (
        ["CREATE TRIGGER t AFTER INSERT ON note FOR EACH ROW SELECT NEW.tag INTO @last"],
        "INSERT INTO note (tag) VALUES (%s)",
        LAST,
    ),
    "trigger locks": (
        ["CREATE TRIGGER t AFTER INSERT ON note FOR EACH ROW SET @x = GET_LOCK('hidden', 0)"],
        "INSERT INTO note (tag) VALUES (%s)",
        LOCKED,
    ),
    "trigger makes a table": (
        [
            "CREATE TRIGGER t AFTER INSERT ON note FOR EACH ROW BEGIN"
            " CREATE TEMPORARY TABLE IF NOT EXISTS seen (tag VARCHAR(99));"
            " INSERT INTO seen VALUES (NEW.tag); END"
        ],
        "INSERT INTO note (tag) VALUES (%s)",
        "SELECT tag FROM seen",
    ),
    "trigger calls a procedure": (
        [
            "CREATE PROCEDURE p(tag VARCHAR(99)) SET @last = tag",
            "CREATE TRIGGER t AFTER INSERT ON note FOR EACH ROW CALL p(NEW.tag)",
        ],
        "INSERT INTO note (tag) VALUES (%s)",
        LAST,
    ),
    "trigger calls a function": (
        [
            "CREATE FUNCTION f(tag VARCHAR(99)) RETURNS VARCHAR(99) DETERMINISTIC NO SQL"
            " BEGIN SET @last = tag; RETURN tag; END",
            "CREATE TRIGGER t BEFORE INSERT ON note FOR EACH ROW SET NEW.tag = f(NEW.tag)",
        ],
        "INSERT INTO note (tag) VALUES (%s)",
        LAST,
    ),
    "trigger calls a function that calls one": (
        [
            "CREATE FUNCTION g(tag VARCHAR(99)) RETURNS VARCHAR(99) DETERMINISTIC NO SQL"
            " BEGIN SET @last = tag; RETURN tag; END",
            "CREATE FUNCTION f(tag VARCHAR(99)) RETURNS VARCHAR(99) DETERMINISTIC NO SQL"
            " RETURN g(tag)",
            "CREATE TRIGGER t BEFORE INSERT ON note FOR EACH ROW SET NEW.tag = f(NEW.tag)",
        ],
        "INSERT INTO note (tag) VALUES (%s)",
        LAST,
    ),
    "trigger sets one of the server's": (
        ["CREATE TRIGGER t BEFORE INSERT ON note FOR EACH ROW SET group_concat_max_len = 44"],
        "INSERT INTO note (tag) VALUES (%s)",
        "SELECT @@group_concat_max_len",
    ),
    "view calls a function": (
        [
            "CREATE FUNCTION f(tag VARCHAR(99)) RETURNS VARCHAR(99) DETERMINISTIC NO SQL"
            " BEGIN SET @last = tag; RETURN tag; END",
            "CREATE VIEW v AS SELECT f(tag) AS tag FROM note",
        ],
        "SELECT tag, %s FROM v",
        LAST,
    ),
    "trigger that only asks": (
        ["CREATE TRIGGER t BEFORE INSERT ON note FOR EACH ROW SET NEW.tag = COALESCE(@who, 'x')"],
        "INSERT INTO note (tag) VALUES (%s)",
        LAST,
    ),
}
UNDONE = [
    "DROP TRIGGER IF EXISTS t",
    "DROP VIEW IF EXISTS v",
    "DROP FUNCTION IF EXISTS f",
    "DROP FUNCTION IF EXISTS g",
    "DROP PROCEDURE IF EXISTS p",
]


def meanwhile(call: Any) -> None:
    """Another thread wants a connection, and waits for it for a while where there is one."""
    thread = threading.Thread(target=lambda: (outcome(call), connections[NAME].close()))
    thread.start()
    thread.join()


def asked(ask: str) -> Any:
    return outcome(lambda: run(NAME, ask))


def cell(made: str, by: str) -> dict[str, Any]:
    begins, does, ask = MADE[made]
    for sql in UNDONE:
        admin(sql)
    admin("DELETE FROM note")
    admin("INSERT INTO note (tag) VALUES ('there')")
    if by == "through it":
        session_id(NAME)
    for sql in begins:
        run(NAME, sql) if by == "through it" else admin(sql)
    said: dict[str, Any] = {}
    run(NAME, does, ["mine"])
    meanwhile(lambda: run(NAME, does, ["another's"]))
    said["asked"] = asked(ask)
    me = session_id(NAME)
    kill(me)
    said["lost"] = [asked(ask), asked(ask)]
    connections[NAME].close()
    run(NAME, does, ["left"])
    piece_of_work_ends(NAME)
    said["afterwards"] = in_thread(lambda: (asked(ask), connections[NAME].close())[0])
    said["in the next"] = asked(ask)
    connections[NAME].close()
    return said


def connects_while_somebody_makes_a_table() -> Any:
    """It is not waited for, though the tables are looked at: whether it goes on afterwards."""
    for sql in UNDONE:
        admin(sql)
    thread = threading.Thread(target=lambda: admin("CREATE TABLE slow AS SELECT SLEEP(3) AS a"))
    thread.start()
    busy = (
        "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'CREATE TABLE slow%'"
    )
    wait_until(lambda: admin(busy)[0][0] == 1, "for the table to be made")
    name = alias()
    run(name, "SELECT 1")
    connections[name].close()
    goes_on = admin(busy)[0][0] == 1
    thread.join()
    admin("DROP TABLE slow")
    return goes_on


def procedure_that_asks() -> list[Any]:
    """The number is asked for in a procedure; its session is ended before that."""
    admin("DROP PROCEDURE IF EXISTS p")
    admin("CREATE PROCEDURE p() INSERT INTO note (tag) VALUES (LAST_INSERT_ID())")
    me = session_id(NAME)
    run(NAME, "INSERT INTO note (tag) VALUES ('given')")
    kill(me)
    told = "Error" in str(outcome(lambda: run(NAME, "CALL p()")))
    connections[NAME].close()
    return [told, admin("SELECT COUNT(*) FROM note WHERE tag = '0'")]


admin(TABLE)
connections["default"].close()
report: dict[str, Any] = {}
POOL = {"pool": {"max_size": 1, "timeout": 0.3}} if LIFELINE else {}
for age in (0, None):
    for made in MADE:
        for by in ("before", "through it"):
            NAME = alias(CONN_MAX_AGE=age, OPTIONS=POOL)
            report[f"{made}, {by}, {age}"] = cell(made, by)
            forget(NAME)
NAME = alias(CONN_MAX_AGE=None)
report["procedure that asks"] = procedure_that_asks()
report["connects"] = connects_while_somebody_makes_a_table()
say(report)
