"""Overrides each thing that Django's wrapper has, one at a time, and notes when it is asked for.

The names come from Django's classes themselves. For each of them there is a subclass of the
engine that only notes and calls on, and the same pieces of work are done with it.
"""

from __future__ import annotations

import inspect
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from unittest import mock

import pymysql
from django.core.signals import request_finished, request_started
from django.db import DatabaseError, IntegrityError, connections, models, transaction
from django.db.backends.base.base import RAN_DB_VERSION_CHECK
from django.db.backends.mysql.base import DatabaseWrapper as DjangosWrapper
from django.utils.functional import cached_property
from tests.fixtures.program_setup import SETUP
from tests.stock.programs.workshop import (
    TABLE,
    Wrapper,
    alias,
    close_all,
    forget,
    outcome,
    run,
    say,
)

MACHINERY = {
    "__annotations__",
    "__dict__",
    "__doc__",
    "__firstlineno__",
    "__module__",
    "__static_attributes__",
    "__weakref__",
}
INSERT = "INSERT INTO note (tag) VALUES ('a')"

Work = Callable[[str], Any]
WORKS: dict[str, Work] = {}


class Noted(models.Model):
    """A table for the schema editor."""

    number = models.IntegerField(default=0)

    class Meta:
        app_label = "hooks"


def work(function: Work) -> Work:
    """Add a piece of work; they are done in this order."""
    WORKS[function.__name__] = function
    return function


@work
def first_query(name: str) -> Any:
    return run(name, "SELECT 1")


@work
def second_query(name: str) -> Any:
    return run(name, "SELECT %s", [1])


@work
def atomic_write(name: str) -> Any:
    with transaction.atomic(name):
        run(name, INSERT)
        connections[name].on_commit(lambda: None)
        return connections[name].get_rollback()


@work
def atomic_that_fails(name: str) -> Any:
    with suppress(ZeroDivisionError), transaction.atomic(name, durable=True):
        run(name, INSERT)
        raise ZeroDivisionError


@work
def savepoints(name: str) -> Any:
    with transaction.atomic(name):
        run(name, INSERT)
        with transaction.atomic(name):
            run(name, INSERT)
        with suppress(ZeroDivisionError), transaction.atomic(name):
            raise ZeroDivisionError
        sid = transaction.savepoint(name)
        transaction.savepoint_rollback(sid, name)
        transaction.savepoint_commit(transaction.savepoint(name), name)
        transaction.clean_savepoints(name)
        transaction.set_rollback(True, name)


@work
def manual_transaction(name: str) -> Any:
    transaction.set_autocommit(False, name)
    run(name, INSERT)
    transaction.commit(name)
    run(name, INSERT)
    transaction.rollback(name)
    transaction.set_autocommit(True, name)
    return transaction.get_autocommit(name)


@work
def chunks(name: str) -> Any:
    with connections[name].chunked_cursor() as cursor:
        cursor.execute("SELECT 1 UNION SELECT 2")
        return cursor.fetchmany(1)


@work
def logged_query(name: str) -> Any:
    connection = connections[name]
    connection.force_debug_cursor = True
    run(name, "SELECT 1")
    with transaction.atomic(name):
        run(name, INSERT)
    connection.force_debug_cursor = False
    return [entry["sql"] for entry in connection.queries]


@work
def watched_query(name: str) -> Any:
    with connections[name].execute_wrapper(lambda execute, *args: execute(*args)):
        return run(name, "SELECT 1")


@work
def failed_query(name: str) -> Any:
    failed = [outcome(lambda: run(name, "SELECT * FROM absent"))]
    with suppress(IntegrityError), transaction.atomic(name):
        run(name, "INSERT INTO note (id, tag) VALUES (1, 'b'), (1, 'c')")
    return [*failed, outcome(lambda: run(name, "INSERT INTO note (id) VALUES (7), (7)"))]


@work
def usable(name: str) -> Any:
    return connections[name].is_usable()


@work
def end_after_an_error(name: str) -> Any:
    connections[name].errors_occurred = True
    connections[name].close_if_unusable_or_obsolete()


@work
def request(name: str) -> Any:
    request_started.send(None)
    answer = run(name, "SELECT 1")
    with transaction.atomic(name):
        run(name, INSERT)
    request_finished.send(None)
    return answer


@work
def request_with_health_check(name: str) -> Any:
    connections[name].settings_dict["CONN_HEALTH_CHECKS"] = True
    connections[name].settings_dict["CONN_MAX_AGE"] = None
    request(name)
    request(name)
    connections[name].settings_dict["CONN_HEALTH_CHECKS"] = False
    connections[name].settings_dict["CONN_MAX_AGE"] = 0
    connections[name].close()


@work
def connects_again(name: str) -> Any:
    connections[name].close_if_unusable_or_obsolete()
    connections[name].ensure_connection()


@work
def temporary(name: str) -> Any:
    with connections[name].temporary_connection() as cursor:
        cursor.execute("SELECT 1")


@work
def after_close(name: str) -> Any:
    connections[name].close()
    return run(name, "SELECT 1")


@work
def autocommit_left_off(name: str) -> Any:
    transaction.set_autocommit(False, name)
    connections[name].close_if_unusable_or_obsolete()


@work
def version(name: str) -> Any:
    connection = connections[name]
    connection.check_database_version_supported()
    connection.prepare_database()
    connection.ensure_timezone()
    return [connection.get_database_version() > (1,), connection.display_name, connection.vendor]


@work
def constraints(name: str) -> Any:
    connection = connections[name]
    with connection.constraint_checks_disabled():
        run(name, "SELECT 1")
    connection.check_constraints(["note"])
    connection.check_constraints()


@work
def schema(name: str) -> Any:
    with connections[name].schema_editor() as editor:
        editor.create_model(Noted)
    Noted.objects.using(name).create(number=1)
    found = list(Noted.objects.using(name).filter(number__contains="1").values_list("number"))
    with connections[name].schema_editor() as editor:
        editor.delete_model(Noted)
    return found


@work
def other_thread(name: str) -> Any:
    connection, seen = connections[name], []

    def use() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                seen.append(cursor.fetchall())
        except DatabaseError as error:
            seen.append(type(error).__name__)

    def in_thread() -> None:
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()

    in_thread()
    connection.inc_thread_sharing()
    in_thread()
    connection.dec_thread_sharing()
    return seen


@work
def copied(name: str) -> Any:
    copy = connections[name].copy()
    with copy.cursor() as cursor:
        cursor.execute("SELECT 1")
    copy.close()
    return repr(connections[name]).replace(name, "...")


@work
def introspected(name: str) -> Any:
    connection = connections[name]
    with connection.cursor() as cursor:
        return "note" in connection.introspection.table_names(cursor)


@work
def test_database(name: str) -> Any:
    creation, before = connections[name].creation, connections[name].settings_dict["NAME"]
    creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    inside = run(name, "SELECT DATABASE()")[0][0]
    creation.destroy_test_db(before, verbosity=0)
    return inside == f"test_{before}"


@work
def failed_connect(name: str) -> Any:
    connection = connections[name]
    connection.close()
    right = connection.settings_dict["USER"]
    connection.settings_dict["USER"] = "nobody_of_that_name"
    said = outcome(lambda: run(name, "SELECT 1"))
    connection.settings_dict["USER"] = right
    return said


class Notes:
    """What was asked for, in which piece of work."""

    def __init__(self) -> None:
        self.doing = "made"
        self.seen: Counter[str] = Counter()

    def __call__(self) -> None:
        self.seen[self.doing] += 1


class Asked:
    """Stands in for a property or a plain value of the class, and notes who reads it."""

    def __init__(self, name: str, note: Notes) -> None:
        self.name, self.note, self.owner = name, note, None

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return getattr(super(self.owner, owner), self.name)
        self.note()
        if self.name in instance.__dict__:
            return instance.__dict__[self.name]
        return getattr(super(self.owner, instance), self.name)

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.name] = value

    def __delete__(self, instance: Any) -> None:
        instance.__dict__.pop(self.name, None)


def kind(value: Any) -> str:
    """Method, property or value."""
    if isinstance(value, property | cached_property):
        return "property"
    return "method" if inspect.isfunction(value) else "value"


def noting(function: Callable[..., Any], note: Notes) -> Callable[..., Any]:
    """The same function, but its calls are noted."""

    def noted(*args: Any, **named: Any) -> Any:
        note()
        return function(*args, **named)

    return noted


@contextmanager
def in_a_subclass(owner: type, name: str, note: Notes) -> Iterator[str]:
    """An engine of one's own that overrides it, as backends of projects and packages do."""
    made: Any = None

    def method(self: Any, *args: Any, **named: Any) -> Any:
        note()
        return getattr(super(made, self), name)(*args, **named)

    if kind(vars(owner)[name]) == "method":
        made = type("DatabaseWrapper", (Wrapper,), {name: method})
    else:
        asked = Asked(name, note)
        asked.owner = made = type("DatabaseWrapper", (Wrapper,), {name: asked})
    yield alias(made)


@contextmanager
def in_djangos_class(owner: type, name: str, note: Notes) -> Iterator[str]:
    """Django's own method is replaced, as monitoring and test tools do."""
    with mock.patch.object(owner, name, noting(getattr(owner, name), note)):
        yield alias()


@contextmanager
def in_the_engines_class(owner: type, name: str, note: Notes) -> Iterator[str]:
    """The method of the class that the settings name is replaced, as tests do."""
    used = alias()
    connections[used]
    with mock.patch.object(Wrapper, name, noting(getattr(Wrapper, name), note)):
        yield used


@contextmanager
def on_the_wrapper(owner: type, name: str, note: Notes) -> Iterator[str]:
    """The method of one wrapper is replaced, as tests do."""
    used = alias()
    connection = connections[used]
    setattr(connection, name, noting(getattr(connection, name), note))
    yield used


MANNERS = {
    each.__name__: each
    for each in (in_a_subclass, in_djangos_class, in_the_engines_class, on_the_wrapper)
}


def of_django(manner: str) -> Iterator[tuple[str, type, str]]:
    """What Django's MySQL wrapper and its base define, and can be overridden in this manner."""
    seen = set()
    for owner in DjangosWrapper.__mro__[:-1]:
        for name, value in vars(owner).items():
            label = name
            if name in MACHINERY or manner != "in_a_subclass" and kind(value) != "method":
                continue
            if manner == "on_the_wrapper" and name.startswith("__"):
                continue
            if manner == "in_djangos_class":
                label = f"{owner.__module__.split('.')[3]}.{name}"
            if label not in seen:
                seen.add(label)
                yield label, owner, name


def chosen(found: list[Any]) -> list[Any]:
    """All that was found, or a part of it that the seed chooses."""
    part = float(os.environ.get("PART", 1))
    some = random.Random(os.environ.get("SEED")).sample(found, round(len(found) * part))
    return [
        each for each in found if each in some or each[0] in os.environ.get("ALWAYS", "").split()
    ]


class Sessions:
    """Counts the sessions that the server has begun for others."""

    def __init__(self) -> None:
        server = SETUP["server"]
        self.admin = pymysql.connect(unix_socket=server["socket"], user="root", ssl_disabled=True)
        self.before = self.begun()

    def begun(self) -> int:
        """How many there were in all."""
        with self.admin.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Connections'")
            return int(cursor.fetchone()[1])

    def new(self) -> int:
        """How many since this was asked last."""
        before, self.before = self.before, self.begun()
        return self.before - before


def observe(manner: str, owner: type, name: str, sessions: Sessions) -> dict[str, Any]:
    """Do all the work with one thing overridden: when it was asked for, and what came out."""
    note, came, begun = Notes(), {}, {}
    with MANNERS[manner](owner, name, note) as used:
        connections[used]
        for doing, function in WORKS.items():
            sessions.new()
            note.doing = doing
            came[doing] = outcome(partial(function, used))
            note.doing = "between"
            begun[doing] = sessions.new()
            connections[used].force_debug_cursor = False
        forget(used)
        close_all()
    RAN_DB_VERSION_CHECK.discard(used)
    return {"kind": kind(vars(owner)[name]), "asked": note.seen, "came": came, "begun": begun}


run("default", TABLE)
run("default", "TRUNCATE note")
MANNER = os.environ["MANNER"]
COUNTER = Sessions()
say(
    {
        label: observe(MANNER, owner, name, COUNTER)
        for label, owner, name in chosen([*of_django(MANNER)])
    }
)
COUNTER.admin.close()
