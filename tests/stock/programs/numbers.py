"""The server answers with every error number that it can, and the work goes on as with stock.

A trigger raises the number that is to be stored, so the answer is a real one.
"""

from __future__ import annotations

import json
import os
from typing import Any

from django.db import Error, connections, transaction
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import alias, outcome, run, say, session_id

TRIGGER = """
CREATE TRIGGER refuse BEFORE INSERT ON numbered FOR EACH ROW
BEGIN
    DECLARE number INT DEFAULT NEW.number;
    IF number > 0 THEN
        SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = number, MESSAGE_TEXT = 'told';
    END IF;
END
"""


def insert(number: int) -> None:
    run(NAME, "INSERT INTO numbered (number) VALUES (%s)", [number])


def swallowed(number: int) -> Any:
    try:
        insert(number)
    except Error as error:
        return [type(error).__name__, error.args[0]]
    return "nothing"


def alone(number: int) -> Any:
    return swallowed(number), outcome(lambda: insert(0))


def in_a_block(number: int) -> Any:
    def block() -> Any:
        with transaction.atomic(NAME):
            insert(-1)
            said = swallowed(number)
            insert(-2)
        return said

    return outcome(block)


def in_a_block_within(number: int) -> Any:
    def block() -> None:
        with transaction.atomic(NAME):
            insert(-1)
            outcome(within)
            insert(-2)

    def within() -> None:
        with transaction.atomic(NAME):
            insert(number)

    return outcome(block)


def answered(number: int) -> Any:
    """What was said, what is stored, and whether the session was kept."""
    session = session_id(NAME)
    said = [way(number) for way in (alone, in_a_block, in_a_block_within)]
    stored = [row[0] for row in run(NAME, "SELECT number FROM numbered ORDER BY id")]
    run(NAME, "DELETE FROM numbered")
    return [said, stored, session_id(NAME) == session]


run("default", "CREATE TABLE numbered (id INT PRIMARY KEY AUTO_INCREMENT, number INT)")
connections["default"].close()
admin(TRIGGER)
NAME = alias(CONN_MAX_AGE=None)
say({str(number): answered(number) for number in json.loads(os.environ["NUMBERS"])})
