"""What the programs of this folder share. Each runs once with either engine, in its own process.

A program makes subclasses of the engine that it was told to use and gives each an alias of its
own; what it prints has to be the same with both.
"""

from __future__ import annotations

import copy
import itertools
import json
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import Any

from django.db import Error, connections
from tests.fixtures.program_setup import SETUP, admin

ENGINE = SETUP["database"]["ENGINE"]
LIFELINE = ENGINE.startswith("django_lifeline")
DRIVER = SETUP["driver"]
FLAVOUR = SETUP["server"]["flavour"]
Wrapper: Any = import_module(f"{ENGINE}.base").DatabaseWrapper
PATIENCE = 20.0
TABLE = "CREATE TABLE IF NOT EXISTS note (id INT PRIMARY KEY AUTO_INCREMENT, tag VARCHAR(99))"

_numbers = itertools.count(1)


def alias(wrapper: Any = Wrapper, **settings: Any) -> str:
    """Register an engine that has this wrapper, and an alias that uses it; return the alias."""
    name = f"workshop_{next(_numbers)}"
    package, module = types.ModuleType(name), types.ModuleType(f"{name}.base")
    package.__path__ = []  # type: ignore[attr-defined]
    package.base = module  # type: ignore[attr-defined]
    module.DatabaseWrapper = wrapper  # type: ignore[attr-defined]
    sys.modules[name], sys.modules[f"{name}.base"] = package, module
    options = settings.pop("OPTIONS", {})
    new = copy.deepcopy(connections.settings["default"])
    new.update(settings, ENGINE=name)
    new["OPTIONS"] = {**new["OPTIONS"], **options}
    connections.settings[name] = new
    return name


def run(name: str, sql: str, params: Any = None) -> Any:
    """Run a statement; its rows, or how many it touched."""
    with connections[name].cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def one(name: str, sql: str, params: Any = None) -> Any:
    """The first value of the first row."""
    return run(name, sql, params)[0][0]


def session_id(name: str) -> int:
    """The server's id of the session of this alias."""
    return int(one(name, "SELECT CONNECTION_ID()"))


def piece_of_work_ends(name: str) -> None:
    """What Django does when a request ends."""
    connections[name].close_if_unusable_or_obsolete()


def outcome(call: Callable[[], Any]) -> Any:
    """What was returned, or the class and the number of what was raised."""
    try:
        return call()
    except Exception as error:
        number = error.args[0] if error.args else ""
        kind = next(each for each in type(error).__mro__ if each.__module__ != _OUR_EXCEPTIONS)
        if isinstance(error, Error):
            return f"{kind.__name__} {number if isinstance(number, int) else ''}".strip()
        return f"{kind.__name__}"


_OUR_EXCEPTIONS = "django_lifeline.exceptions"


def in_thread(call: Callable[[], Any]) -> Any:
    """Run in a thread of its own; what it returned, or the traceback."""
    results: list[Any] = []

    def target() -> None:
        try:
            results.append(call())
        except Exception:
            results.append(traceback.format_exc())

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    return results[0]


def wait_until(condition: Callable[[], object], what: str = "") -> None:
    """Look again and again; the state of a server cannot be waited for in a better way."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited in vain {what}")
        time.sleep(0.005)


def sessions() -> set[int]:
    """The ids of all sessions of the server."""
    return {int(row[0]) for row in admin("SELECT id FROM information_schema.processlist")}


def kill(*ids: int) -> None:
    """KILL sessions and wait until they are gone."""
    for each in set(ids) & sessions():
        outcome(lambda each=each: admin(f"KILL {each}"))  # it may have ended by itself
    wait_until(lambda: not set(ids) & sessions(), f"for {ids} to end")


def forget(name: str) -> None:
    """End what an alias has left open: an engine with pools keeps some, and a program has many."""
    if LIFELINE:
        from django_lifeline import pools

        pools[name].drain()


def say(report: object) -> None:
    """Print what the test will judge."""
    print(json.dumps(report, default=str))


STEPS = ("_commit", "_rollback", "_savepoint", "_savepoint_commit", "_savepoint_rollback")


class Points:
    """Counts the points of a piece of work, and lets a fault strike at one of them."""

    def __init__(self, alias: str, at: int, strike: Callable[[], object]) -> None:
        self.mine = connections[alias]
        self.at = at
        self.strike = strike
        self.passed = 0
        self.name = ""

    def pass_by(self, name: str) -> None:
        self.passed += 1
        if self.passed == self.at:
            self.name = name
            self.strike()

    def statement(self, execute: Any, sql: str, *rest: Any) -> Any:
        self.pass_by(f"before {sql.split()[0]}")
        try:
            return execute(sql, *rest)
        finally:
            self.pass_by(f"after {sql.split()[0]}")

    def step(self, name: str) -> Callable[..., Any]:
        whole = getattr(self.mine, name)

        @wraps(whole)
        def passing(*args: Any) -> Any:
            self.pass_by(f"before {name}")
            try:
                return whole(*args)
            finally:
                self.pass_by(f"after {name}")

        return passing

    @contextmanager
    def watched(self) -> Iterator[None]:
        for name in STEPS:
            self.mine.__dict__[name] = self.step(name)
        try:
            with self.mine.execute_wrapper(self.statement):
                yield
        finally:
            for name in STEPS:
                del self.mine.__dict__[name]


Scene = Callable[[], Any]


class Scenes:
    """Functions run one after the other; each says what it saw, or how it failed."""

    def __init__(self) -> None:
        self.functions: dict[str, Scene] = {}

    def __call__(self, function: Scene) -> Scene:
        """Add a function; used as a decorator."""
        self.functions[function.__name__] = function
        return function

    def report(self) -> dict[str, Any]:
        """Run all; what each returned, or the traceback of one that failed."""
        said: dict[str, Any] = {}
        for name, function in self.functions.items():
            try:
                said[name] = function()
            except Exception:
                said[name] = traceback.format_exc()
            finally:
                close_all()
        return said


def close_all() -> None:
    """Close this thread's connections, whatever state they are in."""
    for connection in connections.all(initialized_only=True):
        try:
            connection.in_atomic_block = False
            connection.close()
        except Exception:
            traceback.print_exc()
        delattr(connections._connections, connection.alias)
