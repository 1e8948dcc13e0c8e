"""HAProxy is reloaded, and its old process ends what it still serves (``hard-stop-after``)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django.db import transaction
from tests.fixtures.program_setup import SETUP
from tests.server.programs.toolbox import (
    Checks,
    create_table,
    one,
    outcome,
    run,
    say,
    session_id,
    stored,
    wait_gone,
    wait_until_seen,
)

from lifeline_lab.topologies.haproxy import HAProxy

check = Checks()
INSERT = "INSERT INTO row_written (tag, number) VALUES (%s, 1)"


def reload(alias: str) -> None:
    """Return when the old process has ended, and the alias's connection with it."""
    session = session_id(alias)
    proxy.reload()
    wait_gone({session})
    wait_until_seen(alias)


@check
def idle(alias: str) -> Any:
    reload(alias)
    said = [outcome(lambda: run(alias, INSERT, [alias])), outcome(lambda: one(alias, "SELECT 7"))]
    return {"said": said, "stored": stored(alias)}


@check
def in_a_transaction(alias: str) -> Any:
    def block() -> None:
        with transaction.atomic(alias):
            run(alias, INSERT, [alias])
            reload(alias)
            run(alias, INSERT, [alias])

    said = [outcome(block), outcome(lambda: run(alias, INSERT, [alias]))]
    return {"said": said, "stored": stored(alias)}


if __name__ == "__main__":
    create_table()
    place = SimpleNamespace(host=SETUP["server"]["host"], port=SETUP["server"]["port"])
    with HAProxy([place], hard_stop=1) as proxy:
        say(check.report(HOST=proxy.host, PORT=proxy.port))
