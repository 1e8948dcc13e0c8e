"""What one incident works with, and what comes out of it: ears for what the engine says."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from django.db import Error, transaction

from django_lifeline import signals
from lifeline_lab.admin import Admin, Login
from lifeline_lab.incidents.ground import Ground, NotBroughtAbout
from lifeline_lab.incidents.place import Place
from lifeline_lab.incidents.reading import read_diagnosis
from lifeline_lab.incidents.scoring import Told
from lifeline_lab.incidents.setting import Setting

UNNOTICED = "swallowed"
"""What a careless caller makes of an error."""

_benches: dict[str, Bench] = {}


class Bench(Ground):
    """One incident: the work that is disturbed, and what caller and engine say of it."""

    def __init__(
        self, setting: Setting, place: Place, strike: Callable[[], object], stack: ExitStack
    ) -> None:
        super().__init__(setting, place, strike, stack)
        self.caller: list[str] = []
        """What the caller met: ``ok``, or an error's class and number."""
        self.told: list[Told] = []
        """What the engine said, in the order of time."""
        _benches[self.alias] = self
        stack.callback(_benches.pop, self.alias)

    def execute(self, sql: str, *args: object) -> None:
        """Run a statement and read its rows, if any."""
        with self.wrapper.cursor() as cursor:
            cursor.execute(sql, args or None)
            if cursor.description:
                cursor.fetchall()

    def read(self) -> None:
        """Run a plain read."""
        self.execute("SELECT text FROM note WHERE id = 1")

    def write(self) -> None:
        """Run a write."""
        self.execute("INSERT INTO note (text) VALUES (%s)", "second")

    def atomic(self) -> Any:
        """Return an ``atomic`` block of the alias."""
        return transaction.atomic(using=self.alias)

    def attempt(self, call: Callable[[], object]) -> None:
        """Do what a caller wants done, and note what came out of it."""
        try:
            call()
        except NotBroughtAbout:
            raise
        except BaseException as error:
            if not self._heard_error(error) and not isinstance(error, Error | Interruption):
                raise
        else:
            self.caller.append("ok")

    def _heard_error(self, error: BaseException) -> bool:
        """Note an error; return whether it told its cause."""
        numbers = [str(each) for each in error.args[:1] if isinstance(each, int)]
        self.caller.append(" ".join([type(error).__name__, *numbers]))
        seen: BaseException | None = error
        while seen is not None:
            diagnosis = getattr(seen, "diagnosis", None)
            if diagnosis is not None:
                self.told.append(read_diagnosis(diagnosis, "error"))
                return True
            seen = seen.__cause__
        return False

    def hear(self, diagnosis: Any) -> None:
        """Note what a signal told."""
        self.told.append(read_diagnosis(diagnosis, "signal"))

    def after_idle(self, fault: Callable[[], object]) -> None:
        """Connect, leave the connection idle while *fault* happens, and do the setting's work."""
        work = self.setting.work

        def transact() -> None:
            with self.atomic():
                self.write()
                fault()
                if work == "atomic":
                    self.read()

        def enter() -> None:
            with self.atomic():
                self.write()

        self.read()
        self.victim = self.session
        if work in ("atomic", "commit"):
            self.attempt(transact)
            return
        fault()
        self.attempt({"read": self.read, "write": self.write, "begin": enter}[work])

    def while_running(self, fault: Callable[[], object]) -> None:
        """Have the setting's statement running, let *fault* happen meanwhile, see what comes."""
        self.read()
        self.victim = self.session
        mark = f"/* mark {self.setting.seed} */"
        locker = Admin(Login("root", "", socket=self.server.socket), self.database)

        def strike() -> None:
            try:
                self.wait_running(mark)
                fault()
            finally:
                # What is repeated must get through.
                locker.close()

        locker.run(f"LOCK TABLES {self.database}.busy WRITE")
        with contextlib.closing(locker), self.beside(strike):
            self.attempt(lambda: self._run_long(mark))

    def _run_long(self, mark: str) -> None:
        """Run a statement on the locked table."""
        write = f"INSERT INTO busy (text) VALUES ('third') {mark}"
        work = self.setting.work
        if work == "atomic":
            with self.atomic():
                self.write()
                self.execute(write)
            return
        read = "SELECT text FROM busy WHERE id = 1"
        self.execute(
            {"read": f"{read} {mark}", "call": f"{read} FOR UPDATE {mark}"}.get(work, write)
        )

    @contextlib.contextmanager
    def beside(self, call: Callable[[], object]) -> Iterator[None]:
        """Do something in another thread beside the block; its failure is the lab's."""
        failures: list[BaseException] = []

        def run() -> None:
            try:
                call()
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            thread.join()
        if failures:
            raise NotBroughtAbout(str(failures[0])) from failures[0]

    def in_thread(self, call: Callable[[], object]) -> None:
        """Do something in another thread, and wait for it."""

        def run() -> None:
            try:
                call()
            finally:
                self.forget()

        with self.beside(run):
            pass

    def expect(self, number: str) -> None:
        """Raise `NotBroughtAbout` unless what the caller met last has this number."""
        met = self.caller[-1] if self.caller else "nothing"
        if not met.endswith(f" {number}"):
            raise NotBroughtAbout(f"Error {number} was to come, and it was: {met}.")

    def check(self) -> None:
        """Raise `NotBroughtAbout` when nothing was lost after all."""
        unharmed = not self.told and set(self.caller) <= {"ok", UNNOTICED}
        if unharmed and self.victim and self.holds_victim():
            raise NotBroughtAbout("Nothing was lost: the session is the same as before.")

    def holds_victim(self) -> bool:
        """Whether the session that something was to happen to is still in use."""
        hold = self.wrapper._hold
        return hold is not None and hold.connection.server_thread_id == self.victim

    def outcome(self) -> dict[str, Any]:
        """Return what happened, as plain values."""
        told = self.told[0] if self.told else Told()
        return {
            **self.setting.as_json(),
            "figures": self.notes,
            "caller": self.caller,
            "told": asdict(told),
            "pid": os.getpid(),
        }


class Interruption(BaseException):
    """What breaks into a query: the application's own doing."""


def listen() -> None:
    """Hear what the engine tells of every alias, for as long as this process lives."""

    def heard(sender: object, alias: str, diagnosis: Any, **more: Any) -> None:
        bench = _benches.get(alias)
        if bench is not None:
            bench.hear(diagnosis)

    for signal in (signals.connection_lost, signals.connection_restored):
        signal.connect(heard, weak=False)
