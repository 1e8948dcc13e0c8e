"""What a site does with its database, while a monitoring tool watches.

Everything is done in steps, each in a root of its own (a transaction, a trace or a task of that
tool), so that a difference between two engines has a place. It says what the application got,
and what the tool recorded.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
from django.db import Error, close_old_connections, connection, models, transaction
from tests.fixtures.drivers import eventually
from tests.fixtures.program_setup import SETUP, admin
from tests.monitoring.tools import OPENING, Record, the_tool

tool = the_tool()
FROM_THE_START = os.environ["WATCHED_FROM"] == "start"
LIFELINE = "lifeline" in SETUP["database"]["ENGINE"]
SAVEPOINT = re.compile(r"`s\d+_x\d+`")  # is named by the thread's number
REQUESTS = 20


class Thing(models.Model):
    name = models.CharField(max_length=50, unique=True)

    class Meta:
        app_label = "shop"
        db_table = "shop_thing"


def make_tables() -> None:
    """By the administrator's connection, which nobody watches."""
    admin("DROP TABLE IF EXISTS shop_thing")
    admin("CREATE TABLE shop_thing (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(50) UNIQUE)")
    admin("DROP PROCEDURE IF EXISTS twice")
    admin("CREATE PROCEDURE twice(n int) BEGIN SELECT n; SELECT 2 * n; END")


def names() -> list[str]:
    return [thing.name for thing in Thing.objects.order_by("id")]


# The steps


def reads() -> Any:
    return names(), Thing.objects.filter(name="one").exists(), Thing.objects.count()


def writes() -> Any:
    thing = Thing.objects.create(name="one")
    changed = Thing.objects.filter(pk=thing.pk).update(name="two")
    return thing.pk, changed, Thing.objects.get_or_create(name="two")[1]


def commits() -> Any:
    with transaction.atomic():
        Thing.objects.create(name="kept")
        with transaction.atomic():
            Thing.objects.create(name="kept too")
    return names()


def rolls_back() -> Any:
    try:
        with transaction.atomic():
            Thing.objects.create(name="dropped")
            raise LookupError
    except LookupError:
        return names()


def runs_many() -> Any:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO shop_thing (name) VALUES (%s)", [("a",), ("b",), ("c",)])
        return cursor.rowcount, len(Thing.objects.bulk_create([Thing(name="d"), Thing(name="e")]))


def calls_a_procedure() -> Any:
    with connection.cursor() as cursor:
        cursor.callproc("twice", (21,))
        sets = [cursor.fetchall()]
        while cursor.nextset():
            sets.append(cursor.fetchall())
        return sets


def fails() -> Any:
    said = []
    for call in (
        lambda: Thing.objects.create(name="kept"),
        lambda: Thing.objects.extra(where=["no_column = 1"]).count(),
    ):
        try:
            call()
        except Error as error:
            said.append([type(error).__name__, error.args[0]])
    return said, names()


def fetches_in_parts() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM shop_thing ORDER BY id")
        rows = [cursor.fetchone(), *cursor.fetchmany(2), *cursor]
    return rows, [thing.name for thing in Thing.objects.order_by("id").iterator(chunk_size=2)]


def runs_without_text_of_its_own() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s, %s", ["a", 1])
        rows = list(cursor.fetchall())
        cursor.execute("SELECT 'a %% b', %(name)s", {"name": "x"})
        return [*rows, *cursor.fetchall()]


STEPS = (
    reads,
    writes,
    commits,
    rolls_back,
    runs_many,
    calls_a_procedure,
    fails,
    fetches_in_parts,
    runs_without_text_of_its_own,
)


def connects() -> Any:
    connection.ensure_connection()


def in_threads() -> list[list[Any]]:
    """Two threads with roots of their own, whose statements alternate."""
    alternate = threading.Barrier(2)
    answers: list[list[Any]] = [[], []]

    def work(number: int) -> None:
        connection.ensure_connection()
        alternate.wait(10)
        with tool.root(f"thread_{number}"):
            for turn in range(4):
                alternate.wait(10)
                with connection.cursor() as cursor:
                    cursor.execute(f"SELECT {number}{turn}")
                    answers[number].extend(cursor.fetchone())
        connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


# What only this package's engine survives


def session_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        return int(cursor.fetchone()[0])


def end_session(number: int) -> None:
    admin(f"KILL {number}")
    eventually(lambda: not session(number))


def session(number: int) -> list[Any]:
    return admin("SELECT INFO FROM information_schema.PROCESSLIST WHERE ID = %s", number)


def heals() -> Any:
    return reads()


@contextmanager
def killed_while_it_runs(number: int, word: str) -> Iterator[None]:
    """End a session as soon as a statement with this word runs in it; then unlock the table."""
    with pymysql.connect(
        unix_socket=SETUP["server"]["socket"],
        user="root",
        database=SETUP["database"]["NAME"],
        ssl_disabled=True,
    ) as locker:
        locker.cursor().execute("LOCK TABLES shop_thing WRITE")

        def kill() -> None:
            eventually(lambda: word in str(session(number)))
            end_session(number)
            locker.cursor().execute("UNLOCK TABLES")

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            yield
        finally:
            killer.join()


def repeats() -> Any:
    return names()


def is_lost() -> list[Any]:
    try:
        Thing.objects.update(name="never")
    except Error as error:
        return [type(error).__name__, *names()]
    return ["no error"]


def healing() -> dict[str, Any]:
    # What a procedure left open, the drivers do not tell: that would not be healed.
    connection.close()
    end_session(session_id())
    answers = {"heals": step(heals)}
    for call, word in ((repeats, "SELECT"), (is_lost, "UPDATE")):
        with killed_while_it_runs(session_id(), word):
            answers[call.__name__] = step(call)
    return answers


def requests() -> int:
    """As a server handles one request after another; how many sessions of the database it took."""
    sessions = set()
    for number in range(REQUESTS):
        close_old_connections()
        with tool.root(f"request_{number}"):
            names()
            sessions.add(session_id())
        close_old_connections()
    return len(sessions)


# Telling


def step(call: Callable[[], Any], name: str = "") -> Any:
    with tool.root(name or call.__name__):
        return call()


def recorded() -> dict[str, list[Record]]:
    """What the tool saw since the last call, by root, without what opens a connection.

    What is in no root was done on the administrator's connections, which are PyMySQL's.
    """
    by_root: dict[str, list[Record]] = {}
    for record in json.loads(SAVEPOINT.sub("`s`", json.dumps(tool.seen(), default=str))):
        if record["in"] and not OPENING.search(record["what"]):
            by_root.setdefault(record.pop("in"), []).append(record)
    return by_root


def told(call: Callable[[], Any]) -> dict[str, Any]:
    """What the application got, and what the tool recorded meanwhile."""
    return {"answers": call(), "records": recorded()}


def the_work() -> dict[str, Any]:
    answers = {call.__name__: step(call) for call in STEPS}
    return {**answers, "threads": in_threads()}


def switched_on_late() -> None:
    """Switch the tool on while a connection is open, and use that one and the next."""
    names()
    tool.instrument()
    step(names, "same_connection")
    connection.close()
    step(names, "next_connection")


def switched_off() -> None:
    """Switch the tool off while a connection is open, and use that one and the next."""
    tool.uninstrument()
    step(names, "same_connection")
    connection.close()
    step(names, "next_connection")


def main() -> None:
    make_tables()
    said: dict[str, Any] = {}
    if not FROM_THE_START:
        said["switched_on"] = told(switched_on_late)
        connection.close()
    said["opening"] = told(lambda: step(connects))
    said["work"] = told(the_work)
    if LIFELINE:
        said["healing"] = told(healing)
    said["requests"] = told(requests)
    if tool.uninstrument:
        names()
        recorded()
        said["switched_off"] = told(switched_off)
    print(json.dumps(said))


main()
