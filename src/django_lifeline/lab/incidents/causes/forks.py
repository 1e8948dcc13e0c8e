"""A child uses what is its parent's."""

from __future__ import annotations

import ctypes
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict

from django_lifeline.lab.incidents.bench import Bench
from django_lifeline.lab.incidents.kinds import MAIN, kind
from django_lifeline.lab.incidents.scoring import Told

COM_QUIT = b"\x01\x00\x00\x00\x01"


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


@kind("shared_after_fork", tls=(False,), lanes=(MAIN,), alike="cut_while_idle_with_fin")
def child_said_goodbye_for_its_parent(bench: Bench) -> None:
    """A child, forked where Python does not see it, says COM_QUIT on its parent's socket."""
    bench.use()

    def fault() -> None:
        lives_for = bench.between(0.0, 1.0)
        bench.note(child_lives_for=lives_for)
        child = _fork("fork in C")
        if child == 0:
            time.sleep(lives_for)
            os.write(bench.fd, COM_QUIT)
            os._exit(0)
        os.waitpid(child, 0)
        bench.wait_gone(bench.victim)

    bench.after_idle(fault)


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
