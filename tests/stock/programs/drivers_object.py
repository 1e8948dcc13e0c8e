"""The driver's connection in the application's hand, used again after every way to lose it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.db import Error, connections
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import (
    DRIVER,
    alias,
    close_all,
    in_thread,
    kill,
    one,
    outcome,
    piece_of_work_ends,
    say,
    session_id,
    sessions,
    wait_until,
)

PERSISTENT: dict[str, Any] = {"CONN_MAX_AGE": None}
STREAMING = import_module("MySQLdb.cursors" if DRIVER == "mysqlclient" else "pymysql.cursors")
MANY = "SELECT a.help_topic_id FROM mysql.help_topic AS a, mysql.help_topic AS b LIMIT 400000"

Way = Callable[[str, Any, int], object]


def killed(name: str, raw: Any, number: int) -> None:
    kill(number)


def socket_is_shut(name: str, raw: Any, number: int) -> None:
    fd = raw.fileno() if hasattr(raw, "fileno") else raw._sock.fileno()
    with socket.socket(fileno=os.dup(fd)) as twin:
        twin.shutdown(socket.SHUT_RDWR)


def kills_itself(name: str, raw: Any, number: int) -> None:
    outcome(lambda: raw.cursor().execute(f"KILL {number}"))


def killed_in_flight(name: str, raw: Any, number: int) -> None:
    listed = f"SELECT 1 FROM information_schema.processlist WHERE id = {number}"
    running = f"{listed} AND info LIKE '%SLEEP%'"

    def end_it() -> None:
        wait_until(lambda: admin(running))
        admin(f"KILL {number}")

    thread = threading.Thread(target=end_it)
    thread.start()
    outcome(lambda: raw.cursor().execute("SELECT SLEEP(30)"))
    thread.join()


def killed_while_rows_are_read(name: str, raw: Any, number: int) -> None:
    cursor = raw.cursor(STREAMING.SSCursor)
    cursor.execute(MANY)
    cursor.fetchone()
    socket_is_shut(name, raw, number)
    outcome(cursor.fetchall)


def timed_out(name: str, raw: Any, number: int) -> None:
    raw.cursor().execute("SET SESSION wait_timeout = 1")
    wait_until(lambda: number not in sessions())


def closed_by_django(name: str, raw: Any, number: int) -> None:
    connections[name].close()


def closed_by_itself(name: str, raw: Any, number: int) -> None:
    raw.close()


def found_dead_by_django(name: str, raw: Any, number: int) -> None:
    kill(number)
    outcome(lambda: one(name, "SELECT 3"))


WAYS: list[Way] = [
    killed,
    socket_is_shut,
    kills_itself,
    killed_in_flight,
    killed_while_rows_are_read,
    timed_out,
    closed_by_django,
    closed_by_itself,
    found_dead_by_django,
]

USES: dict[str, Callable[[Any], object]] = {
    "ping": lambda raw: raw.ping(),
    "query": lambda raw: raw.query("SELECT 1"),
    "commit": lambda raw: raw.commit(),
    "rollback": lambda raw: raw.rollback(),
    "autocommit": lambda raw: raw.autocommit(False),
    "select_db": lambda raw: raw.select_db("mysql"),
    "execute": lambda raw: raw.cursor().execute("SELECT 1"),
    "show_warnings": lambda raw: raw.show_warnings(),
}


def told(raw: Any, use: Callable[[Any], object]) -> Any:
    """The class and the number of what is raised; the driver's own, as Django never sees it."""
    try:
        use(raw)
    except Exception as error:
        number = error.args[0] if error.args else ""
        assert not isinstance(error, Error)
        return f"{type(error).__name__} {number}"
    return "nothing raised"


def used(way: Way, use: Callable[[Any], object]) -> list[Any]:
    """What two uses say one after the other, and then another thread's statement."""
    name = alias(**PERSISTENT)
    number = session_id(name)
    raw = connections[name].connection
    way(name, raw, number)
    said = [told(raw, use) for _ in range(2)]
    said.append(in_thread(lambda: one(name, "SELECT 4")))
    close_all()
    return said


SETS: dict[str, Callable[[Any], object]] = {
    "query": lambda raw: raw.query("SET @tenant = 5"),
    "select_db": lambda raw: raw.select_db("mysql"),
    "set_character_set": lambda raw: raw.set_character_set("latin1"),
    "execute": lambda raw: raw.cursor().execute("SET @tenant = 5"),
    "encoders": lambda raw: raw.encoders.update({complex: str}),
}


def goes_on_after(sets: Callable[[Any], object]) -> list[str]:
    """What an author hears who has set something so, lost it, and swallows the first error."""
    name = alias(**PERSISTENT)
    number = session_id(name)
    sets(connections[name].connection)
    kill(number)
    said = [outcome(lambda: one(name, "SELECT 5")) for _ in range(3)]
    piece_of_work_ends(name)
    said.append(outcome(lambda: one(name, "SELECT 6")))
    close_all()
    return ["refused" if "Error" in str(each) else each for each in said]


say(
    {
        "uses": {
            f"{way.__name__}, {name}": used(way, use) for way in WAYS for name, use in USES.items()
        },
        "sets": {name: goes_on_after(sets) for name, sets in SETS.items()},
    }
)
