"""On a server with autocommit off for all: who sees what is written outside a block, and when."""

from __future__ import annotations

from django.db import close_old_connections, connection, transaction
from tests.server.programs.toolbox import admin, in_thread, say

connection.cursor().execute("CREATE TABLE note (tag VARCHAR(99))")


def write(tag: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO note VALUES (%s)", [tag])


def seen_by_another() -> object:
    def read() -> object:
        with connection.cursor() as cursor:
            cursor.execute("SELECT tag FROM note ORDER BY tag")
            found = [tag for (tag,) in cursor.fetchall()]
        connection.close()
        return found

    with in_thread(read) as results:
        pass
    return results[0]


def stored() -> list[str]:
    return [tag for (tag,) in admin("SELECT tag FROM note ORDER BY tag")]


write("alone")
said = [stored()]
with transaction.atomic():
    write("block")
    said.append(stored())
said.append(stored())
with connection.cursor() as cursor:
    cursor.execute("SET time_zone = '+01:00'")  # which a reset takes away, and autocommit with it
close_old_connections()
write("reset")
said += [stored(), seen_by_another()]
transaction.set_autocommit(False)
write("undone")
transaction.rollback()
transaction.set_autocommit(True)
connection.close()
say([*said, stored()])
