"""Steps that break something."""

from __future__ import annotations

import threading
from typing import Any

import pymysql
from django.db.models import F, Func, IntegerField, Max, Value
from django.db.models.functions import Concat

from tests.differential.actions.orm import items
from tests.differential.actions.place import Place, action, fault, stage
from tests.differential.ground import wait_until
from tests.differential.models import Item

SLOW = "SLEEP(20)"
READS = "SELECT 1 FROM item LIMIT 0"
WRITES = "UPDATE item SET a = 0 WHERE FALSE"
"""What stock Django runs instead: refused where the real one would be, and without effect."""
TOO_LATE = "SLEEP(3)"
"""Longer than programs through the proxy wait for an answer."""


@fault
def kill_all(place: Place) -> None:
    """An administrator ends every session of the program, between two statements."""
    place.arm.ground.end_sessions()


@fault
def restart(place: Place) -> None:
    """The server is shut down in good order and started again."""
    ground = place.arm.ground
    ground.forget()
    ground.server.stop()
    ground.server.start_again()


@fault
def break_next(place: Place, pattern: str, when: str, how: str = "rst") -> None:
    """The connection is cut at the next command that fits: before it, or instead of its answer."""
    if place.arm.proxy is not None:
        place.arm.proxy.on(pattern, when, how)


@fault
def cut(place: Place, how: str) -> None:
    """The network cuts every connection."""
    if place.arm.proxy is not None:
        place.arm.proxy.cut(action=how)


@stage
def drop_tenant(place: Place, name: str) -> Any:
    """An administrator drops a database that sessions may be in."""
    try:
        place.arm.ground.ask(f"DROP DATABASE IF EXISTS {place.arm.ground.database(name)}")
    except pymysql.err.OperationalError as error:
        return error.args[0]  # 1205: somebody's transaction has a table of it.


def _killed_while(place: Place, run: Any, instead: str = READS) -> Any:
    """Run a slow statement; with this engine its session is killed as soon as it runs."""
    if place.arm.is_stock:
        return _spared(place, instead)
    ground = place.arm.ground
    ended = threading.Event()
    thread = threading.Thread(
        target=lambda: ground.kill(ground.await_statement("SLEEP(", ended.is_set))
    )
    thread.start()
    try:
        return run()
    finally:
        ended.set()
        thread.join()


def _spared(place: Place, instead: str) -> str:
    """What Django, or the server, would refuse it refuses here as well."""
    place.execute(instead)
    return "spared"


@action
def killed_reading(place: Place) -> Any:
    return _killed_while(place, lambda: place.execute(f"SELECT {SLOW} FROM item LIMIT 1"))


@action
def killed_writing(place: Place, tag: int) -> Any:
    statement = f"INSERT INTO item (tag) SELECT #{tag} + {SLOW}"
    return _killed_while(place, lambda: place.execute(statement), WRITES)


def _slow() -> Func:
    return Func(Value(20), function="SLEEP", output_field=IntegerField())


@action
def killed_orm_reading(place: Place, what: str) -> Any:
    slow = items(place).annotate(slow=_slow())
    if what == "lock" and place.connection.in_atomic_block:
        slow = slow.select_for_update()
    ways = {
        "exists": lambda: slow.filter(slow=0).exists(),
        "aggregate": lambda: items(place).aggregate(most=Max(_slow())),
        "first": lambda: slow.order_by("pk").first(),
        "iterator": lambda: next(slow.iterator()),
        "in_bulk": lambda: slow.in_bulk(),
        "values_list": lambda: list(slow.values_list("slow")),
        "lock": lambda: list(slow.filter(pk=place.row(1))),
    }
    return _killed_while(place, ways[what])


@action
def killed_orm_writing(place: Place, tag: int, what: str) -> Any:
    here, new = items(place), place.tag(tag)
    noted = Concat(F("note"), Value(f"<{tag}>"))
    ways = {
        "update": lambda: here.filter(pk=place.row(1)).update(note=noted, a=_slow()),
        "create": lambda: here.create(tag=new, a=_slow()),
        "save": lambda: Item(tag=new, a=_slow()).save(using=place.alias),
        "bulk_create": lambda: here.bulk_create([Item(tag=new, a=_slow()), Item(tag=new + 1)]),
        "get_or_create": lambda: here.get_or_create(tag=new, defaults={"a": _slow()}),
        "update_or_create": lambda: here.update_or_create(tag=new, defaults={"a": _slow()}),
        "delete": lambda: here.annotate(slow=_slow()).filter(slow=99).delete(),
    }
    return _killed_while(place, ways[what], READS if what == "delete" else WRITES)


def _answered_late(place: Place, statement: str, instead: str = READS) -> Any:
    """Run a statement whose answer comes when nobody waits for it any more."""
    if place.arm.is_stock:
        return _spared(place, instead)
    try:
        return place.execute(statement)
    finally:
        wait_until(lambda: not place.arm.ground.sessions("SLEEP("), 10)


@action
def late_reading(place: Place) -> Any:
    return _answered_late(place, f"SELECT {TOO_LATE} FROM item LIMIT 1")


@action
def late_writing(place: Place, tag: int) -> Any:
    return _answered_late(place, f"INSERT INTO item (tag) SELECT #{tag} + {TOO_LATE}", WRITES)
