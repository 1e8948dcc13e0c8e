"""A child uses what is its parent's."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict

from lifeline_lab.incidents.bench import Bench
from lifeline_lab.incidents.kinds import DIRECT, HAPROXY, MAIN, SOCKET, kind
from lifeline_lab.incidents.scoring import Told

DRIVERS_OWN = {
    "mysqlclient": ("MySQLdb._mysql", "connection"),
    "pymysql": ("pymysql.connections", "Connection"),
}
"""Where each driver's class is that says COM_QUIT on closing, whoever calls."""
OUTSIDE = (DIRECT, SOCKET, HAPROXY)
"""The lab's own proxy runs in this process: a child that stays would keep its sockets open."""


@kind("shared_after_fork", works=("fork", "fork in C"), lanes=(MAIN,))
def forked_inside_a_transaction(bench: Bench) -> None:
    """A child goes on with its parent's transaction."""
    bench.use()
    with bench.atomic():
        bench.write()
        _in_child(bench, bench.read)


@kind("shared_after_fork", works=("fork", "fork in C"), lanes=(MAIN,))
def forked_with_a_temporary_table(bench: Bench) -> None:
    """A child goes on with what only its parent's session has."""
    bench.use()
    bench.execute("CREATE TEMPORARY TABLE mine (id INT)")
    _in_child(bench, lambda: bench.execute("INSERT INTO mine VALUES (1)"))


@kind("shared_after_fork", lanes=(MAIN,), alike="cut_while_idle_with_fin")
def child_said_goodbye_for_its_parent(bench: Bench) -> None:
    """A child, forked where Python does not see it, says COM_QUIT in its parent's name and ends."""
    _goodbye(bench, stays=False)


@kind("shared_after_fork", ways=OUTSIDE, lanes=(MAIN,), alike="killed_while_idle")
def child_said_goodbye_for_its_parent_and_stays(bench: Bench) -> None:
    """A child, forked where Python does not see it, says COM_QUIT and keeps the socket."""
    _goodbye(bench, stays=True)


@kind("killed", ways=OUTSIDE, lanes=(MAIN,), alike="child_said_goodbye_for_its_parent")
def killed_while_a_child_has_the_socket(bench: Bench) -> None:
    """KILL, while a child that was forked where Python does not see it just has the socket."""
    bench.use()

    def fault() -> None:
        time.sleep(bench.between(0.0, 0.5))
        _child(bench, lambda: None, stays=True)
        bench.kill()

    bench.after_idle(fault)


def _goodbye(bench: Bench, *, stays: bool) -> None:
    bench.use()

    def fault() -> None:
        lives_for = bench.between(0.0, 0.5)
        bench.note(child_lives_for=lives_for)

        def close() -> None:
            time.sleep(lives_for)
            # The driver closes its descriptor; the engine's duplicate stays.
            module, name = DRIVERS_OWN[bench.setting.driver]
            driver = getattr(importlib.import_module(module), name)
            driver.close(bench.wrapper._hold.connection)

        child = _child(bench, close, stays=stays)
        if not stays:
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        bench.wait_gone(bench.victim)

    bench.after_idle(fault)


def _child(bench: Bench, call: Callable[[], object], *, stays: bool) -> int:
    """Do something in a child, which may stay until the incident is over; return its id."""
    over, not_over = os.pipe()
    child = _fork("fork in C")
    if child == 0:
        os.close(not_over)
        call()
        if stays:
            os.read(over, 1)
        os._exit(0)
    os.close(over)

    def end() -> None:
        os.close(not_over)
        os.waitpid(child, 0)

    bench.defer(end)
    return child


def _in_child(bench: Bench, call: Callable[[], object]) -> None:
    """Do something in a forked child, and hear what the engine says of it there."""
    reading, writing = os.pipe()
    child = _fork(bench.setting.work)
    if child == 0:
        try:
            bench.attempt(call)
            told = [asdict(each) for each in bench.told]
            os.write(writing, json.dumps([bench.caller, told], default=str).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        caller, told = json.load(pipe)
    os.waitpid(child, 0)
    bench.caller += caller
    bench.told += [Told(**{**each, "causes": tuple(each["causes"])}) for each in told]


def _fork(how: str) -> int:
    # PyDLL holds the interpreter's lock, so that no other thread is in the middle of anything.
    return os.fork() if how == "fork" else int(ctypes.PyDLL(None).fork())
