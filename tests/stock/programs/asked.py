"""What may be asked about a statement after it, with another thread served in between and without.

Every kind of statement, with every question. The pool has one connection, so that whoever is
served in between gets the very session that could have answered.
"""

from __future__ import annotations

import json
import os
from typing import Any

from django.db import connections
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import (
    LIFELINE,
    TABLE,
    alias,
    in_thread,
    outcome,
    piece_of_work_ends,
    run,
    say,
)

# Who opened a transaction keeps the connection: nobody else is served then.
NAME = alias(OPTIONS={"pool": {"max_size": 1, "timeout": 0.1}} if LIFELINE else {})
MANY = [("a",), ("b",), ("c",)]

STATEMENTS: dict[str, Any] = {
    "nothing": lambda cursor: None,
    "executemany": lambda cursor: cursor.executemany("INSERT INTO note (tag) VALUES (%s)", MANY),
    "executemany of one": lambda cursor: cursor.executemany(
        "INSERT INTO note (tag) VALUES (%s)", MANY[:1]
    ),
    "executemany updates": lambda cursor: cursor.executemany(
        "UPDATE note SET tag = %s WHERE id < 3", MANY
    ),
}
for text in (
    "SELECT 1",
    "SELECT * FROM note",
    "SELECT * FROM note WHERE id = 0",
    "SELECT * FROM note LOCK IN SHARE MODE",
    "SELECT * FROM note WHERE id = 1 FOR UPDATE",
    "SELECT CAST('abc' AS SIGNED)",
    "SELECT 1 / 0",
    "SELECT nothing FROM note",
    "SELECT FROM WHERE",
    "SHOW TABLES",
    "SHOW WARNINGS",
    "EXPLAIN SELECT * FROM note",
    "INSERT INTO note (tag) VALUES ('a')",
    "INSERT INTO note (tag) VALUES ('a'), ('b')",
    "INSERT INTO note (id, tag) VALUES (777777, 'a')",
    "INSERT INTO note (id, tag) VALUES (1, 'a')",
    "INSERT IGNORE INTO note (id, tag) VALUES (1, 'a'), (-8, 'b')",
    "INSERT INTO note (tag) SELECT tag FROM note WHERE id = 0",
    "INSERT INTO note (tag) VALUES ('a') RETURNING id",
    "INSERT INTO note (tag) VALUES ('a'), ('b') RETURNING id, tag",
    "INSERT INTO note (id, tag) VALUES (1, 'a') ON DUPLICATE KEY UPDATE tag = 'z'",
    "INSERT INTO note (id, tag) VALUES (1, 'a') ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)",
    "REPLACE INTO note (id, tag) VALUES (1, 'a')",
    "REPLACE INTO note (id, tag) VALUES (1, 'a') RETURNING id",
    "UPDATE note SET tag = 'q' WHERE id = 1",
    "UPDATE note SET tag = 'one' WHERE id = 1",
    "UPDATE note SET tag = 'q' WHERE id = 0",
    "UPDATE note SET id = LAST_INSERT_ID(id) WHERE id = 2",
    "DELETE FROM note WHERE id = 0",
    "DELETE FROM note WHERE id = 2",
    "DELETE FROM note WHERE id = 2 RETURNING tag",
    "SELECT LAST_INSERT_ID(5)",
    "SET @x = 1",
    "DO 0",
    "CREATE TABLE other (a INT)",
    "CREATE TABLE IF NOT EXISTS note (a INT)",
    "DROP TABLE IF EXISTS nowhere",
    "ANALYZE TABLE note",
    "START TRANSACTION",
    "COMMIT",
):
    STATEMENTS[text] = lambda cursor, text=text: cursor.execute(text)

QUESTIONS = (
    "SELECT LAST_INSERT_ID()",
    "SELECT ROW_COUNT()",
    "SELECT LAST_INSERT_ID(), ROW_COUNT()",
    "SELECT LAST_INSERT_ID(), ROW_COUNT();",
    "SELECT LAST_INSERT_ID(), ROW_COUNT() /* ROW_COUNT() */",
    "SELECT LAST_INSERT_ID(), ROW_COUNT() -- ROW_COUNT()",
    "SELECT LAST_INSERT_ID() AS `id`, 'ROW_COUNT()' AS a, 2 * ROW_COUNT() - 1 AS \"b\" # or less",
    "SELECT LAST_INSERT_ID(), IF(ROW_COUNT() = 1, 'one', 'another')",
    "INSERT INTO note (tag) VALUES (CONCAT(LAST_INSERT_ID(), ' ', ROW_COUNT()))",
    "UPDATE note SET tag = CONCAT('%%', ROW_COUNT()) WHERE id = 1 AND LAST_INSERT_ID() > -1",
    "SHOW WARNINGS",
    "SHOW ERRORS",
    "SHOW COUNT(*) WARNINGS",
    "SELECT @@warning_count",
    "SELECT @@error_count",
)


def answer(question: str) -> Any:
    said = run(NAME, question, () if "%%" in question else None)
    if question.startswith(("INSERT", "UPDATE")):
        said = run(NAME, "SELECT tag FROM note WHERE tag LIKE '%% %%' OR tag LIKE '\\%%%%'", ())
    return [said, run(NAME, "SELECT LAST_INSERT_ID()")]


def shown() -> Any:
    """What Django's cursor shows after a statement that gives no numbers."""
    with connections[NAME].cursor() as cursor:
        cursor.execute("SELECT 1")
        return [cursor.lastrowid, cursor.rowcount]


def raw() -> Any:
    return connections[NAME].connection.insert_id() or 0


ASKED: dict[str, Any] = {
    question: lambda question=question: answer(question) for question in QUESTIONS
}
ASKED["what a cursor shows"] = shown
ASKED["what the driver shows"] = raw


def served() -> None:
    """Somebody else gets the connection, and leaves numbers, counts and warnings of his own."""
    run(NAME, "SELECT 1")
    run(NAME, "INSERT INTO note (id, tag) VALUES (555, 'x') ON DUPLICATE KEY UPDATE tag = 'y'")
    run(NAME, "INSERT INTO note (tag) VALUES ('p'), ('q'), ('r')")
    run(NAME, "SELECT CAST('xyz' AS SIGNED)")
    piece_of_work_ends(NAME)


def told(statement: str, question: str, *, between: bool, first: bool) -> Any:
    """What is answered; ``first``: the statement is the only one of its piece of work."""
    admin("TRUNCATE TABLE note")
    admin("INSERT INTO note VALUES (1, 'one'), (2, 'two')")
    if statement.startswith("CREATE TABLE other"):
        admin("DROP TABLE IF EXISTS other")
    # The session's number is another's from the outset.
    run(NAME, "SELECT LAST_INSERT_ID(424242)")
    piece_of_work_ends(NAME)
    if not first:
        run(NAME, "INSERT INTO note (id, tag) VALUES (NULL, 'before')")

    def do() -> Any:
        with connections[NAME].cursor() as cursor:
            STATEMENTS[statement](cursor)
            return cursor.rowcount

    ran = outcome(do)
    if between:
        in_thread(served)
    said = outcome(ASKED[question])
    if statement == "START TRANSACTION":
        run(NAME, "ROLLBACK")
    piece_of_work_ends(NAME)
    return [ran, said]


PART = [pair.split("/") for pair in os.environ["PART"].split()]
run(NAME, TABLE)
connections[NAME].close()
report = {}
statements, questions = list(STATEMENTS), list(ASKED)
for at, which in PART:
    statement, question = statements[int(at)], questions[int(which)]
    for between in (False, True):
        for first in (True, False):
            how = f"{'another served' if between else 'alone'}, {'first' if first else 'later'}"
            report[f"{statement}; {question} ({how})"] = told(
                statement, question, between=between, first=first
            )
say(json.loads(json.dumps(report).replace(connections[NAME].settings_dict["NAME"], "here")))
