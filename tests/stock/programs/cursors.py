"""Everything that a cursor has, by name, at every moment of its life; and every call of it.

The names come from Django's two cursors and the driver's own, and none of them is left out.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import MySQLdb
import pymysql
from django.db import connections, transaction
from django.db.backends.mysql.base import CursorWrapper as DriverCursorWrapper
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from tests.fixtures.program_setup import SETUP
from tests.stock.programs.workshop import DRIVER, Wrapper, alias, close_all, outcome, run, say

PLAIN = (bool, int, str, bytes, type(None))
INSERT = "INSERT INTO word (text) VALUES (%s)"
ROWS = "SELECT id, text FROM word ORDER BY id LIMIT 5"
THREE = "SELECT 1 UNION SELECT 2 UNION SELECT 3"

Prepare = Callable[[str], Any]
MOMENTS: dict[str, Prepare] = {}


def moment(function: Prepare) -> Prepare:
    """Add a moment in the life of a cursor."""
    MOMENTS[function.__name__] = function
    return function


@moment
def before_execute(name: str) -> Any:
    return connections[name].cursor()


@moment
def after_select(name: str) -> Any:
    cursor = connections[name].cursor()
    cursor.execute(ROWS)
    return cursor


@moment
def in_the_middle(name: str) -> Any:
    cursor = after_select(name)
    cursor.fetchone()
    cursor.fetchmany(1)
    return cursor


@moment
def exhausted(name: str) -> Any:
    cursor = after_select(name)
    cursor.fetchall()
    return cursor


@moment
def after_empty_select(name: str) -> Any:
    cursor = connections[name].cursor()
    cursor.execute("SELECT id FROM word WHERE id < 0")
    return cursor


@moment
def after_insert(name: str) -> Any:
    cursor = connections[name].cursor()
    cursor.execute(INSERT, ["one"])
    return cursor


@moment
def after_update_with_warning(name: str) -> Any:
    cursor = connections[name].cursor()
    cursor.execute("INSERT IGNORE INTO word (id, text) VALUES (1, 'again')")
    return cursor


@moment
def after_executemany(name: str) -> Any:
    cursor = connections[name].cursor()
    cursor.executemany(INSERT, [["two"], ["three"]])
    return cursor


@moment
def after_executemany_one_by_one(name: str) -> Any:
    cursor = connections[name].cursor()
    cursor.executemany("UPDATE word SET text = %s WHERE id = %s", [["a", 1], ["b", 2], ["b", 3]])
    return cursor


@moment
def after_executemany_of_none(name: str) -> Any:
    cursor = connections[name].cursor()
    cursor.executemany(INSERT, [])
    return cursor


@moment
def first_of_several_results(name: str) -> Any:
    cursor = connections[name].cursor()
    cursor.execute("SELECT 1; SELECT 2; SELECT 3") if MANY else cursor.callproc("two_results")
    return cursor


@moment
def second_of_several_results(name: str) -> Any:
    cursor = first_of_several_results(name)
    cursor.fetchall()
    cursor.nextset()
    return cursor


@moment
def last_of_several_results(name: str) -> Any:
    cursor = first_of_several_results(name)
    while cursor.nextset():
        pass
    return cursor


@moment
def after_callproc(name: str) -> Any:
    cursor = connections[name].cursor()
    cursor.callproc("two_results")
    return cursor


@moment
def after_callproc_with_arguments(name: str) -> Any:
    cursor = connections[name].cursor()
    cursor.callproc("same", (4,))
    return cursor


@moment
def after_an_error(name: str) -> Any:
    cursor = connections[name].cursor()
    outcome(lambda: cursor.execute("SELECT * FROM absent"))
    return cursor


@moment
def after_an_error_that_follows_rows(name: str) -> Any:
    cursor = in_the_middle(name)
    outcome(lambda: cursor.execute("INSERT INTO word (id, text) VALUES (%s, 'twice')", [1]))
    return cursor


@moment
def after_wrong_parameters(name: str) -> Any:
    cursor = connections[name].cursor()
    outcome(lambda: cursor.execute("SELECT %s, %s", [1]))
    return cursor


@moment
def after_another_statement(name: str) -> Any:
    cursor = in_the_middle(name)
    run(name, "SELECT 7")
    return cursor


@moment
def after_the_piece_of_work(name: str) -> Any:
    connections[name].settings_dict["CONN_MAX_AGE"] = None
    cursor = in_the_middle(name)
    connections[name].close_if_unusable_or_obsolete()
    return cursor


@moment
def closed(name: str) -> Any:
    cursor = in_the_middle(name)
    cursor.close()
    return cursor


@moment
def closed_unused(name: str) -> Any:
    cursor = connections[name].cursor()
    cursor.close()
    return cursor


@moment
def after_its_with_block(name: str) -> Any:
    with connections[name].cursor() as cursor:
        cursor.execute(ROWS)
    return cursor


@moment
def after_the_connection_was_closed(name: str) -> Any:
    cursor = in_the_middle(name)
    connections[name].close()
    return cursor


MANY = MySQLdb.__name__ == "MySQLdb"
"""Whether the driver takes several statements at once by default."""

CALLS: dict[str, Callable[[Any], Any]] = {
    "fetchone": lambda c: c.fetchone(),
    "fetchmany": lambda c: c.fetchmany(),
    "fetchmany by position": lambda c: c.fetchmany(2),
    "fetchmany by name": lambda c: c.fetchmany(size=2),
    "fetchmany of none": lambda c: c.fetchmany(0),
    "fetchall": lambda c: c.fetchall(),
    "fetchall twice": lambda c: [c.fetchall(), c.fetchall(), c.fetchone(), c.fetchmany(3)],
    "fetch in all ways": lambda c: [c.fetchone(), c.fetchmany(2), [*c], c.fetchall()],
    "iterated": lambda c: [*c],
    "iterated in part": lambda c: (lambda rows: [next(rows), c.fetchone(), c.rownumber])(iter(c)),
    "next": lambda c: next(c),
    "scroll": lambda c: [c.scroll(1), c.fetchone()],
    "scroll by name": lambda c: [c.scroll(0, mode="absolute"), c.fetchone()],
    "scroll too far": lambda c: c.scroll(99),
    "nextset": lambda c: c.nextset(),
    "nextset and rows": lambda c: [c.nextset(), c.fetchall(), c.nextset(), c.fetchall()],
    "setinputsizes": lambda c: c.setinputsizes(1, 2),
    "setoutputsizes": lambda c: c.setoutputsizes(1, 2),
    "mogrify": lambda c: c.mogrify("SELECT %s, %s", ("it's", None)),
    "mogrify without": lambda c: c.mogrify("SELECT 1"),
    "mogrify by name": lambda c: c.mogrify("SELECT %(a)s", {"a": 1}),
    "literal": lambda c: c.literal("it's"),
    "literal of bytes": lambda c: c.literal(b"it's"),
    "connection": lambda c: hasattr(c.connection, "cursor"),
    "connection's escape": lambda c: c.connection.escape_string("it's"),
    "connection's literal": lambda c: c.connection.literal("it's"),
    "connection is the wrapper's": lambda c: c.connection is c.db.connection,
    "arraysize": lambda c: [setattr(c.cursor.cursor, "arraysize", 2), c.fetchmany()],
    "close": lambda c: [c.close(), c.close()],
    "with": lambda c: [c.__enter__() is c, c.__exit__(None, None, None)],
    "execute": lambda c: [c.execute("SELECT 8"), c.fetchall()],
    "execute by name": lambda c: [c.execute(sql="SELECT %s", params=(8,)), c.fetchall()],
    "execute with a mapping": lambda c: [c.execute("SELECT %(a)s", {"a": 8}), c.fetchall()],
    "execute bytes": lambda c: [c.execute(b"SELECT 8"), c.fetchall()],
    "execute bytearray": lambda c: [c.execute(bytearray(b"SELECT 8")), c.fetchall()],
    "execute bytes with parameters": lambda c: [c.execute(b"SELECT %s", [8]), c.fetchall()],
    "execute with one value": lambda c: [c.execute("SELECT %s", 8), c.fetchall()],
    "execute with no values": lambda c: [c.execute("SELECT '%%'", []), c.fetchall()],
    "execute with percent": lambda c: [c.execute("SELECT '%'"), c.fetchall()],
    "execute with too few": lambda c: c.execute("SELECT %s, %s", [1]),
    "execute with too many": lambda c: c.execute("SELECT %s", [1, 2]),
    "execute nothing": lambda c: c.execute(""),
    "execute a comment": lambda c: c.execute("-- nothing"),
    "execute None": lambda c: c.execute(None),
    "execute a number": lambda c: c.execute(7),
    "execute what fails": lambda c: c.execute("SELECT * FROM absent"),
    "execute what fails later": lambda c: c.execute("SELECT (SELECT 1 UNION SELECT 2)"),
    "execute the driver's way": lambda c: c.cursor.execute("SELECT 8", None),
    "execute by the driver's names": lambda c: c.cursor.execute(query="SELECT %s", args=[8]),
    "execute on the driver's cursor": lambda c: c.cursor.cursor.execute("SELECT 8"),
    "executemany": lambda c: c.executemany(INSERT, [["x"], ["y"]]),
    "executemany by name": lambda c: c.executemany(sql=INSERT, param_list=[["x"]]),
    "executemany of a generator": lambda c: c.executemany(INSERT, ([x] for x in "xy")),
    "executemany of mappings": lambda c: c.executemany(
        "INSERT INTO word (text) VALUES (%(t)s)", [{"t": "x"}, {"t": "y"}]
    ),
    "executemany of none": lambda c: c.executemany(INSERT, []),
    "executemany that reads": lambda c: [c.executemany("SELECT %s", [[1], [2]]), c.fetchall()],
    "executemany that fails": lambda c: c.executemany(INSERT, [["x"], [None]]),
    "executemany of bytes": lambda c: c.executemany(INSERT.encode(), [["x"]]),
    "executemany on the driver's": lambda c: c.cursor.executemany(query=INSERT, args=[["x"]]),
    "callproc": lambda c: [c.callproc("two_results"), c.fetchall(), c.nextset(), c.fetchall()],
    "callproc with arguments": lambda c: [c.callproc("same", [4]), c.fetchall()],
    "callproc by name": lambda c: [c.callproc(procname="same", params=(4,)), c.fetchall()],
    "callproc of words": lambda c: c.callproc("same", None, {"n": 4}),
    "callproc of nothing": lambda c: c.callproc("absent"),
    "callproc's variables": lambda c: [
        c.callproc("same", [4]),
        c.nextset(),
        c.execute("SELECT @_same_0"),
        c.fetchall(),
    ],
    "an attribute that is absent": lambda c: c.absent,
    "an attribute that is set": lambda c: [setattr(c, "own", 1), c.own],
    "db": lambda c: isinstance(c.db, Wrapper),
    "rows' class": lambda c: type(c.fetchall()).__name__,
    "many rows' class": lambda c: type(c.fetchmany(1)).__name__,
    "last_executed_query": lambda c: c.db.ops.last_executed_query(c, "SELECT 0", None),
    "last_insert_id": lambda c: type(c.db.ops.last_insert_id(c, "word", "id")).__name__,
    "fetch_returned_insert_rows": lambda c: c.db.ops.fetch_returned_insert_rows(c),
}


@cache
def names() -> list[str]:
    """What Django's two cursors and the driver's have, on the class and on one that was used."""
    server = SETUP["server"]
    bare = MySQLdb.connect(unix_socket=server["socket"], user="root")
    used = bare.cursor()
    used.execute("SELECT 1")
    classes = (CursorWrapper, CursorDebugWrapper, DriverCursorWrapper, type(used))
    found = {name for each in classes for name in dir(each)} | set(vars(used))
    used.close()
    bare.close()
    return sorted(name for name in found if not name.startswith("__"))


def described(value: Any) -> Any:
    """A plain value itself; of anything else what can be done with it."""
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, list | tuple | dict):
        return f"{type(value).__name__} {value!r}"
    if callable(value):
        return "callable"
    return type(value).__name__


def attribute(cursor: Any, name: str) -> Any:
    """What the cursor has under this name."""
    try:
        return described(getattr(cursor, name))
    except Exception as error:
        return f"{type(error).__name__}"


def signatures() -> Iterator[tuple[str, str]]:
    """How the methods of an application's cursor may be called."""
    with connections[alias()].cursor() as cursor:
        for name in names():
            method = getattr(cursor, name, None)
            if inspect.isroutine(method):
                found = inspect.signature(method).parameters.values()
                bare = (each.replace(annotation=inspect.Parameter.empty) for each in found)
                yield name, ", ".join(str(each) for each in bare)


class Table:
    """The table that cursors read and write, as new each time though rarely refilled."""

    def __init__(self) -> None:
        server, database = SETUP["server"], SETUP["database"]["NAME"]
        self.admin = pymysql.connect(
            unix_socket=server["socket"],
            user="root",
            database=database,
            autocommit=True,
            ssl_disabled=True,
        )
        for each in TABLES:
            self.ask(each)

    def ask(self, sql: str) -> Any:
        """Run a statement where no engine is in between."""
        with self.admin.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def refill(self) -> None:
        """Make it new, with its numbers beginning at one again."""
        self.ask("TRUNCATE word")
        self.ask("INSERT INTO word (text) VALUES ('a'), ('b'), ('c'), ('d')")


TABLES = (
    "CREATE TABLE word (id INT PRIMARY KEY AUTO_INCREMENT, text VARCHAR(9) NOT NULL)",
    "CREATE PROCEDURE two_results() BEGIN SELECT 1; SELECT 2; SELECT 3; END",
    "CREATE PROCEDURE same(n INT) BEGIN SELECT n; END",
)
WRITES = re.compile("insert|executemany|warning|error")
"""What moments and calls are named that write, or try to."""
QUICK = {"OPTIONS": {"ssl_disabled": True}} if DRIVER == "pymysql" else {}
"""Building a context for TLS takes PyMySQL longer than all else here."""


def everything_at(prepare: Prepare, table: Table, debug: bool = False) -> dict[str, Any]:
    """All attributes and all calls of a cursor at one moment, each with a cursor of its own."""
    name = alias(**QUICK)
    connection = connections[name]
    connection.force_debug_cursor = debug

    def fresh(each: str = "") -> Any:
        if WRITES.search(prepare.__name__ + fresh.last):
            table.refill()
        fresh.last = each
        connection.close()
        return prepare(name)

    fresh.last = "to insert"
    cursor = fresh()
    found = {each: attribute(cursor, each) for each in names()}
    cursor = None
    for each, call in CALLS.items():
        cursor = fresh(each)
        found[f"{each}()"] = described(outcome(partial(call, cursor)))
        found[f"{each}(), then"] = described(outcome(lambda: run(name, "SELECT 1")))
        cursor = None
    connection.force_debug_cursor = False
    close_all()
    return found


def in_a_transaction() -> dict[str, Any]:
    """What each call says inside an atomic block that is already broken."""
    name, found = alias(**QUICK), {}
    for each, call in CALLS.items():
        with transaction.atomic(name):
            cursor = connections[name].cursor()
            cursor.execute(ROWS)
            transaction.set_rollback(True, name)
            found[each] = described(outcome(partial(call, cursor)))
    return found


def asked_for(which: str) -> list[str]:
    """The moments that a test wants to compare."""
    return os.environ[which].split() if which in os.environ else [*MOMENTS]


WORDS = Table()
say(
    {
        "signatures": dict(signatures()),
        "names": names(),
        "moments": {each: everything_at(MOMENTS[each], WORDS) for each in asked_for("ALL")},
        "debug": {
            each: everything_at(MOMENTS[each], WORDS, debug=True) for each in asked_for("LOGGED")
        },
        "broken": in_a_transaction(),
    }
)
WORDS.admin.close()
