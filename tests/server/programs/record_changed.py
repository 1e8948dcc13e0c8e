"""REPEATABLE READ where the server refuses to change a row that somebody changed since: 1020."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from django.db import OperationalError, connection, transaction
from tests.fixtures import program_setup
from tests.fixtures.program_setup import admin

DOCS = Path(program_setup.__file__).parents[2] / "docs"
retry_transaction = runpy.run_path(str(DOCS / "code" / "run_again.py"))["retry_transaction"]


def execute(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def meet_a_rival() -> None:
    """Write, read the account, and change it after somebody else did."""
    execute("INSERT INTO note VALUES ('before')")
    execute("SELECT * FROM account")
    admin("UPDATE account SET held = held + 1")
    execute("UPDATE account SET held = held + 10")


def swallowed(then: str) -> dict[str, object]:
    """Go on in the block after the error, and end it in either way."""
    execute("DELETE FROM note")
    said = None
    try:
        with transaction.atomic():
            try:
                meet_a_rival()
            except OperationalError as error:
                said = error.args[0]
            execute("INSERT INTO note VALUES ('after')")
            if then == "fail":
                raise LookupError
    except LookupError:
        pass
    return {"said": said, "stored": [text for (text,) in execute("SELECT text FROM note")]}


def run_again() -> dict[str, object]:
    """Have the block run again, as the docs advise; the rival comes once."""
    execute("DELETE FROM note")
    runs: list[int] = []

    @retry_transaction()
    def block() -> None:
        runs.append(len(runs) + 1)
        if len(runs) == 1:
            meet_a_rival()
        execute("INSERT INTO note VALUES ('once')")

    block()
    return {"runs": len(runs), "stored": [text for (text,) in execute("SELECT text FROM note")]}


execute("CREATE TABLE note (text CHAR(9)) ENGINE=InnoDB")
execute("CREATE TABLE account (held INT) ENGINE=InnoDB")
execute("INSERT INTO account VALUES (0)")
print(
    json.dumps(
        {
            "fails": swallowed("fail"),
            "commits": swallowed("commit"),
            "run_again": run_again(),
            "held": execute("SELECT held FROM account")[0][0],
        }
    )
)
