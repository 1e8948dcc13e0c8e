"""Interrupts pieces of work at the steps it is told, and judges what is true after each.

The JSON file SWEEP says what to do, and the last line of output what was found. The program ends
early when nothing goes on any more; whoever runs it goes on behind that step.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from django.db import close_old_connections, connection, connections

from django_lifeline import pools
from tests.fixtures.program_setup import SETUP
from tests.interruption import laws, steps
from tests.interruption.workloads import PATIENCE, WORKLOADS, Admin, Item, Scene, Workload

SWEEP: dict[str, Any] = json.loads(Path(os.environ["SWEEP"]).read_text())
KIND: str = SWEEP["kind"]
"""``interrupt``, ``async``, ``kill`` or ``timeout``."""
HOW: str = SWEEP["how"]
"""``here`` or ``next``; see `steps`."""


class Run:
    """One run of a workload in one thread, with what came of it."""

    def __init__(self, workload: Workload, scene: Scene, *, ends: bool, catches: bool) -> None:
        self.workload = workload
        self.scene = scene
        self.ends = ends
        """Whether the interrupted thread just ends, instead of going on."""
        self.catches = catches
        """Whether it goes on at once, before anybody says that a piece of work is over."""
        self.tracing: Any = None
        self.raised = ""
        self.itself = False
        """Whether what left is what broke in."""
        self.dropped = False
        """Whether it came in a finalizer, where Python drops whatever is raised."""
        self.problems: list[str] = []

    def perform(self, make: Callable[[], Any]) -> None:
        """Do the work in a thread of its own, and judge the pool while that lives on."""
        if KIND == "interrupt":
            # A signal interrupts the main thread, whose wrapper is made new where it matters.
            connection.close()
            if self.workload.fresh:
                del connections["default"]
            self._interrupted(make)
            self._judge()
            return
        ready, done = threading.Event(), threading.Event()

        def live() -> None:
            try:
                self._interrupted(make)
            finally:
                ready.set()
            if not self.ends:
                done.wait(3 * PATIENCE)

        victim = threading.Thread(target=live, daemon=True)
        victim.start()
        if self.ends:
            victim.join(PATIENCE)
        if not ready.wait(PATIENCE) or self.ends and victim.is_alive():
            raise laws.Hung("the interrupted thread hangs")
        self._judge()
        done.set()
        victim.join(PATIENCE)

    def _interrupted(self, make: Callable[[], Any]) -> None:
        self.workload.prepare(self.scene)
        self.tracing = make()
        with steps.unraisable() as dropped:
            error = self.tracing.run(lambda: self.workload.act(self.scene))
            self._note(error, dropped)
            del error
            dropped.clear()
        if not self.ends:
            self._go_on()

    def _note(self, error: BaseException | None, dropped: list[BaseException]) -> None:
        kinds = steps.Struck, KeyboardInterrupt, *gevent_kinds()
        self.itself = isinstance(error, kinds)
        self.dropped = any(isinstance(found, kinds) for found in dropped)
        if error is not None and not self.itself:
            self.raised = f"{type(error).__name__}: {error}"
        # They would keep alive what the interrupted code held.
        chain = [error]
        for each in chain:
            if each is not None:
                each.__traceback__ = None
                chain += {each.__cause__, each.__context__}.difference(chain)

    def _go_on(self) -> None:
        try:
            if connection.in_atomic_block:
                self.problems.append("the wrapper is still inside atomic")
                connection.close()
                del connections["default"]
            if self.catches:
                self.problems += laws.after_catching(self.scene)
            close_old_connections()
            self.problems += laws.after_going_on(self.scene)
            close_old_connections()
        except Exception as error:
            self.problems.append(f"going on: {type(error).__name__}: {error}")

    def _judge(self) -> None:
        self.scene.release()
        gc.collect()
        allowed = self.workload.stored
        if not self._struck() and not self.ends:
            allowed = allowed[-1:]
        self.problems += laws.stored_as_allowed(self.scene, allowed)
        self.problems += laws.locks_are_free(self.scene.admin, self.scene.token)
        self.problems += laws.pool_is_whole(self.scene)
        expected = self.raised.startswith(self.workload.expects or "-")
        if self._struck() and not self.itself and not self.dropped and not expected:
            self.problems.append(f"instead of the interruption came {self.raised or 'nothing'}")
        elif self.raised and not self._struck() and not expected:
            self.problems.append(f"without an interruption came {self.raised}")

    def _struck(self) -> bool:
        where = getattr(self.tracing, "where", "")
        return bool(where) and where != steps.SEALED


def gevent_kinds() -> tuple[type[BaseException], ...]:
    """What breaks into greenlets."""
    if not SETUP["gevent"]:
        return ()
    import gevent

    return gevent.GreenletExit, gevent.Timeout


class Sweep:
    """All the interruptions of this program."""

    def __init__(self) -> None:
        self.admin = Admin()
        self.violations: list[dict[str, Any]] = []
        self.struck = self.dropped = self.sealed = self.unreached = 0
        self.hung = False
        self.done = 0
        self.counted: dict[str, dict[str, Any]] = {}

    def result(self) -> dict[str, Any]:
        """What the program says in the end."""
        names = "counted done struck sealed dropped unreached hung violations"
        return {name: getattr(self, name) for name in names.split()}

    def count_all(self, names: Iterable[str]) -> None:
        """Count the steps of these workloads; no name means all."""
        for name in names:
            self.counted |= {each: self.count(each) for each in ([name] if name else WORKLOADS)}

    def strike_all(self, strikes: Sequence[tuple[str, int, bool]]) -> None:
        """Carry interruptions out, until nothing goes on any more."""
        for name in dict.fromkeys(name for name, _, _ in strikes):
            self.one(name, "warm", steps.Counting, ends=False)
        for name, at, ends in strikes:
            if self.hung:
                break
            self.strike(name, at, ends=ends)
            self.done += 1

    def strike_share(self, seed: int, workloads: int, strikes: int) -> None:
        """Carry out some random interruptions in some of the workloads."""
        chance = random.Random(seed)
        names = chance.sample(list(WORKLOADS), workloads)
        self.counted = {name: self.count(name) for name in names}
        key = "polling" if HOW == "next" else "steps"
        for _ in range(strikes):
            name = chance.choice(names)
            ends = KIND != "interrupt" and chance.random() < 0.5
            if self.counted[name][key] and not self.hung:
                self.strike(name, chance.randint(1, self.counted[name][key]), ends=ends)

    def count(self, name: str) -> dict[str, Any]:
        """How many steps there are in a piece of work, by file."""
        self.one(name, "warm", steps.Counting, ends=False)
        counting = switches = self.one(name, "count", steps.Counting, ends=False)
        if HOW == "next" and SETUP["gevent"]:
            switches = self.one(name, "switches", CountingSwitches, ends=False)
        return {
            "steps": counting.count,
            "files": dict(counting.files),
            "polling": switches.polling,
        }

    def one(self, name: str, at: object, make: Callable[[], Any], *, ends: bool) -> Any:
        """Run a workload once and judge it; return what traced it."""
        workload = WORKLOADS[name]
        token = f"{name} {at} {'ends' if ends else 'on'} {time.monotonic_ns()}"
        catches = isinstance(at, int) and at % 2 == 1
        run = Run(workload, Scene(self.admin, token), ends=ends, catches=catches)
        try:
            run.perform(make)
        except laws.Hung as error:
            self.hung = True
            run.problems.append(f"hang: {error}")
        where = getattr(run.tracing, "where", "")
        if where:
            self.struck += where != steps.SEALED
            self.sealed += where == steps.SEALED
        self.unreached += isinstance(at, int) and not where
        self.dropped += run.dropped
        for problem in run.problems:
            found = {"workload": name, "at": at, "ends": ends, "where": where, "what": problem}
            self.violations.append(found)
            print(json.dumps(found), file=sys.stderr, flush=True)
        if run.problems and not self.hung:
            self.clean()
        return run.tracing

    def clean(self) -> None:
        """Let one violation have no effect on the next interruption."""
        self.admin.kill_all()
        with suppress(Exception):
            connection.close()
        del connections["default"]
        pools["default"].drain()

    def strike(self, name: str, at: int, *, ends: bool) -> None:
        """Interrupt a workload at one step."""
        if HOW == "next" and SETUP["gevent"]:
            self.one(name, at, lambda: StrikeSwitch(at), ends=ends)
        else:
            self.one(name, at, lambda: steps.Strike(at, error(), pending()), ends=ends)


def error() -> BaseException:
    """What is raised at a step."""
    if KIND == "interrupt":
        return KeyboardInterrupt()
    if KIND == "async":
        return steps.Struck()
    killed, timeout = gevent_kinds()
    return killed() if KIND == "kill" else timeout()


def pending() -> Any:
    """What makes the exception pending; None where it is raised at once."""
    if HOW == "here":
        return None
    return steps.pending_interrupt() if KIND == "interrupt" else steps.pending_async()


class CountingSwitches:
    """Counts how often the current greenlet lets the hub run."""

    def __init__(self) -> None:
        import gevent

        self.count = 0
        self._greenlet = gevent.getcurrent()
        self._hub = gevent.get_hub()

    @property
    def polling(self) -> int:
        """How often something can break in."""
        return self.count

    def _switched(self, event: str, between: tuple[Any, Any]) -> None:
        if between == (self._greenlet, self._hub):
            frame = self._greenlet.gr_frame
            while frame is not None and not steps.is_engine(frame.f_code):
                frame = frame.f_back
            if frame is not None:  # else it is the sweep itself that waits
                self._waits(frame)

    def _waits(self, frame: FrameType) -> None:
        self.count += 1

    def run(self, act: Callable[[], object]) -> BaseException | None:
        """Do a piece of work; what it raised is returned."""
        import greenlet

        greenlet.settrace(self._switched)
        try:
            act()
        except BaseException as error:
            return error
        finally:
            greenlet.settrace(None)
        return None


class StrikeSwitch(CountingSwitches):
    """Kills the current greenlet, or lets its time be up, while it waits for the nth time."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at
        self.where = ""

    def _waits(self, frame: FrameType) -> None:
        super()._waits(frame)
        if self.count != self.at:
            return
        self.where = steps.place(frame)
        if KIND == "kill":
            self._greenlet.kill(block=False)
        else:
            self._hub.loop.run_callback(self._greenlet.throw, error())


def create_table() -> None:
    """Make the table, with rows to iterate over."""
    with connection.schema_editor() as editor:
        editor.create_model(Item)
        # As locks of rows that nobody else touches are asked for by the token.
        editor.execute("CREATE INDEX by_token ON interruption_item (token)")
    Item.objects.bulk_create(Item(token="seed", label=f"seed {n}") for n in range(7))
    connection.close()


def main() -> Sweep:
    """Do what SWEEP says.

    ``count`` names workloads whose steps to count; ``strikes``, as ``[[name, at, ends]]``, are
    the interruptions to carry out; ``share``, as ``[seed, workloads, strikes]``, asks for so many
    random interruptions in so many random workloads.
    """
    create_table()
    sweep = Sweep()
    gc.collect()
    gc.freeze()  # what is there already need not be looked at after each interruption
    if "share" in SWEEP:
        sweep.strike_share(*SWEEP["share"])
    sweep.count_all(SWEEP.get("count", ()))
    sweep.strike_all(SWEEP.get("strikes", ()))
    return sweep


# Started in the background by a shell, a program ignores SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Before Python 3.13 a log handler keeps its lock when something breaks in as it takes it.
logging.disable()
print(json.dumps(main().result()), flush=True)
os._exit(0)  # threads that hang must not keep the program from ending
