"""The decorator of ``docs/guides/run-again.md``, met by losses at each place of a block."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from django.db import OperationalError, connection, transaction
from tests.fixtures import program_setup
from tests.fixtures.program_setup import admin

CODE = Path(program_setup.__file__).parents[2] / "docs" / "code" / "run_again.py"
spec = importlib.util.spec_from_file_location("run_again", CODE)
assert spec is not None and spec.loader is not None
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


def execute(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def kill_me() -> None:
    [[number]] = execute("SELECT CONNECTION_ID()")
    admin(f"KILL {number}")
    while admin(f"SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = {number}"):
        pass


def story(losses: int, *, within: bool = False) -> dict[str, object]:
    """Lose the connection in the first so many runs; tell what happened and what is stored."""
    execute("DELETE FROM note")
    runs: list[int] = []
    hooks: list[int] = []

    @module.retry_transaction(attempts=3)
    def block() -> str:
        runs.append(len(runs) + 1)
        execute(f"INSERT INTO note VALUES ({len(runs)})")
        transaction.on_commit(lambda: hooks.append(len(runs)))
        if len(runs) <= losses:
            kill_me()
        execute("SELECT 1")
        return "done"

    try:
        if within:
            with transaction.atomic():
                said = block()
        else:
            said = block()
    except OperationalError as error:
        said = type(error).__name__
    stored = [row[0] for row in execute("SELECT * FROM note")]
    return {"said": said, "runs": len(runs), "hooks": hooks, "stored": stored}


execute("CREATE TABLE note (run INT) ENGINE=InnoDB")
print(
    json.dumps(
        {
            "no_loss": story(0),
            "one_loss": story(1),
            "too_many": story(9),
            "within_another": story(1, within=True),
        }
    )
)
