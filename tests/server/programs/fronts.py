"""What a program of Django's ORM meets behind something that stands before the server."""

from __future__ import annotations

from typing import Any

from django.db import close_old_connections, connections, transaction
from tests.fixtures.program_setup import admin
from tests.server.programs.toolbox import (
    Checks,
    Row,
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

from django_lifeline.signals import connection_lost, connection_restored

check = Checks()
causes: list[str] = []
INSERT = "INSERT INTO row_written (tag, number) VALUES (%s, 1)"


class Stop(Exception):
    """The block's own exception."""


def _numbers(alias: str) -> list[int]:
    rows = Row.objects.using(alias).filter(tag=alias).order_by("number")
    return list(rows.values_list("number", flat=True))


@check
def work(alias: str) -> Any:
    """Rows that are written, read, changed and taken back, and what others see of them."""
    story: list[Any] = []
    rows = Row.objects.using(alias)
    rows.create(tag=alias, number=1)
    story.append(rows.filter(tag=alias).update(number=2))
    with transaction.atomic(alias):
        made = rows.create(tag=alias, number=3)
        transaction.on_commit(lambda: story.append("committed"), using=alias)
        story.append(stored(alias))
        try:
            with transaction.atomic(alias):
                rows.create(tag=alias, number=4)
                raise Stop
        except Stop:
            story.append(_numbers(alias))
        rows.select_for_update().get(pk=made.pk)
    try:
        with transaction.atomic(alias):
            rows.bulk_create(Row(tag=alias, number=number) for number in range(5, 9))
            transaction.on_commit(lambda: story.append("never"), using=alias)
            raise Stop
    except Stop:
        story.append(_numbers(alias))
    with transaction.atomic(alias, durable=True):
        rows.bulk_create(Row(tag=alias, number=number) for number in range(5, 9))
    story.append(_numbers(alias))
    story.append(len(list(rows.filter(tag=alias).iterator(chunk_size=2))))
    story.append(rows.filter(tag=alias, number__gt=4).delete()[0])
    story.append(outcome(lambda: run(alias, "SELECT * FROM no_such_table")))
    close_old_connections()
    story.append(_numbers(alias))
    return story


@check
def session(alias: str) -> Any:
    """What Django asks for is set, whatever the server's default."""
    names = "@@session.transaction_isolation, @@session.autocommit, @@character_set_client"
    if not connections[alias].mysql_is_mariadb:
        return one(alias, f"SELECT CONCAT_WS(',', {names})")
    return one(alias, f"SELECT CONCAT_WS(',', {names.replace('transaction', 'tx', 1)})")


@check
def what_was_left_in_a_session(alias: str) -> Any:
    run(alias, "SET time_zone = '+01:00', @left = 1")
    connections[alias].close()
    return one(alias, "SELECT CONCAT_WS(',', @@session.time_zone, @left)")


@check
def killed_while_idle(alias: str) -> Any:
    number = session_id(alias)
    admin(f"KILL {number}")
    return _after(alias, number)


@check
def idle_for_longer_than_the_server_waits(alias: str) -> Any:
    run(alias, "SET SESSION wait_timeout = 1")
    return _after(alias, session_id(alias))


def _after(alias: str, number: int) -> Any:
    """How the next two statements end, the first of them a write, and what the loss was called."""
    wait_gone({number})
    wait_until_seen(alias)
    causes.clear()
    said = [outcome(lambda: run(alias, INSERT, [alias]))]
    said.append(outcome(lambda: one(alias, "SELECT 7")))
    return {"said": said, "stored": stored(alias), "causes": list(causes)}


if __name__ == "__main__":
    for each in (connection_lost, connection_restored):
        each.connect(lambda **told: causes.append(told["diagnosis"].cause), weak=False)
    create_table()
    say(check.report())
