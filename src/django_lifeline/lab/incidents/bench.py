"""What one incident works with: its own database and alias, and ears for what the engine says."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.db import Error, connections, transaction

from django_lifeline import signals
from django_lifeline.lab.admin import Admin, Login
from django_lifeline.lab.arms import LIFELINE_ENGINE
from django_lifeline.lab.incidents.kinds import HAPROXY, SOCKET, WIRE
from django_lifeline.lab.incidents.network import NO_LIMIT, haproxy
from django_lifeline.lab.incidents.place import Place
from django_lifeline.lab.incidents.reading import read_diagnosis
from django_lifeline.lab.incidents.scoring import Told
from django_lifeline.lab.incidents.setting import Setting
from django_lifeline.lab.servers import Server
from django_lifeline.lab.wire import WireProxy

UNNOTICED = "swallowed"
"""What a careless caller makes of an error."""
PATIENCE = 20.0
"""Seconds in which whatever an incident waits for must have happened."""
SETTLE = 0.05
"""Seconds for a packet that was sent to arrive, on loopback."""
TABLES = ("note", "busy")
"""A table to work with, and one that is locked while a statement is to take long."""

_COLUMNS = "(id INT AUTO_INCREMENT PRIMARY KEY, text LONGTEXT) ENGINE=InnoDB"
_TLS: dict[str, dict[bool, dict[str, Any]]] = {
    "mysqlclient": {True: {"ssl_mode": "REQUIRED"}, False: {}},
    "pymysql": {True: {"ssl": {"verify_mode": False}}, False: {"ssl_disabled": True}},
}

_benches: dict[str, Bench] = {}


class NotBroughtAbout(Exception):
    """The lab could not make the incident happen; says nothing about the engine."""


class Bench:
    """One incident: what it may use, and what came out of it.

    ``notes`` are the figures it drew. What the engine said is listed in the order of time.
    """

    def __init__(
        self, setting: Setting, place: Place, strike: Callable[[], object], stack: ExitStack
    ) -> None:
        self.setting = setting
        self.place = place
        self.strike = strike
        """Lets the kind's disaster happen; returns when it has."""
        self.chance = random.Random(setting.seed)
        self.notes: dict[str, Any] = {}
        self.alias = f"incident-{setting.seed}"
        self.database = f"incident_{setting.seed.replace('-', '_')}"
        self.server: Server = place.steady
        self.proxy: WireProxy | None = None
        self.victim = 0
        """The server's id of the session that something happens to."""
        self.caller: list[str] = []
        """What the caller met: ``ok``, or an error's class and number."""
        self.told: list[Told] = []
        self._stack = stack

    # Setting up

    def on(self, server: Server) -> None:
        """Use this server."""
        self.server = server

    def use(
        self,
        *,
        session: Mapping[str, object] | None = None,
        pool: Mapping[str, object] | None = None,
        lifeline: Mapping[str, object] | None = None,
        idle_limit: float = NO_LIMIT,
        **options: Any,
    ) -> None:
        """Make the database and the alias, by the setting's way.

        ``session`` are variables that each session sets at its beginning, ``idle_limit`` is the
        proxy's, ``options`` are the driver's; capitals are Django's settings.
        """
        # It goes with its server: at the end of an incident that may stand still.
        self.server.create_database(self.database)
        for table in TABLES:
            self.server.query(f"CREATE TABLE {self.database}.{table} {_COLUMNS}")
            self.server.query(f"INSERT INTO {self.database}.{table} (text) VALUES ('first')")
        django = {name: options.pop(name) for name in list(options) if name.isupper()}
        wanted: dict[str, Any] = {"connect_timeout": 10, **self._tls(), **options}
        if self.setting.read_timeout:
            wanted.setdefault("read_timeout", self.setting.read_timeout)
        if session:
            sets = ", ".join(f"SESSION {name} = {value}" for name, value in session.items())
            wanted["init_command"] = f"SET {sets}"
        if not self.setting.pooled and pool is None:
            wanted["pool"] = False
        elif pool is not None:
            wanted["pool"] = dict(pool)
        if lifeline:
            wanted["lifeline"] = dict(lifeline)
        self._add_alias({**self._address(idle_limit, wanted), **django}, wanted)

    def _tls(self) -> dict[str, Any]:
        return dict(_TLS[self.setting.driver][self.setting.tls])

    def _address(self, idle_limit: float, options: dict[str, Any]) -> dict[str, Any]:
        way, server = self.setting.way, self.server
        port = server.port
        if way == SOCKET:
            return {"HOST": server.socket}
        if way == WIRE:
            self.proxy = self._stack.enter_context(
                WireProxy(server.host, server.port, tls=self.setting.tls)
            )
            port = self.proxy.port
        elif way == HAPROXY:
            port = self._stack.enter_context(
                haproxy(self.folder(), server.host, server.port, idle=idle_limit)
            )
        return {"HOST": server.host, "PORT": port}

    def folder(self) -> Path:
        """Return a folder of this incident's own."""
        path = self.place.folder / self.database
        path.mkdir(exist_ok=True)
        return path

    def _add_alias(self, address: dict[str, Any], options: dict[str, Any]) -> None:
        connections.settings[self.alias] = {
            **connections.settings["default"],
            "ENGINE": LIFELINE_ENGINE,
            "NAME": self.database,
            "USER": self.server.user,
            "PASSWORD": self.server.password,
            "CONN_MAX_AGE": None,
            **address,
            "OPTIONS": options,
        }
        _benches[self.alias] = self
        self._stack.callback(_benches.pop, self.alias)
        self._stack.callback(self.forget)

    def forget(self) -> None:
        """Close this thread's wrapper, whatever state it is in."""
        with contextlib.suppress(Exception):
            self.wrapper.close()
        with contextlib.suppress(AttributeError):
            del connections[self.alias]

    def note(self, **figures: Any) -> None:
        """Remember what was drawn, for the report."""
        self.notes.update(figures)

    def between(self, least: float, most: float) -> float:
        """Draw a number of seconds."""
        return round(self.chance.uniform(least, most), 2)

    # Working

    @property
    def wrapper(self) -> Any:
        """This thread's wrapper of the alias."""
        return connections[self.alias]

    @property
    def session(self) -> int:
        """The server's id of the session that is held; looked up without touching it."""
        return int(self.wrapper._hold.connection.server_thread_id)

    @property
    def fd(self) -> int:
        """The held connection's descriptor; looked up without touching it."""
        return int(self.wrapper._hold.connection.fd)

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
            self._heard_error(error)
            if not isinstance(error, Error | Interruption):
                raise
        else:
            self.caller.append("ok")

    def _heard_error(self, error: BaseException) -> None:
        number = error.args[0] if error.args else ""
        self.caller.append(f"{type(error).__name__} {number}".strip())
        seen: BaseException | None = error
        while seen is not None:
            diagnosis = getattr(seen, "diagnosis", None)
            if diagnosis is not None:
                self.told.append(read_diagnosis(diagnosis, "error"))
                return
            seen = seen.__cause__

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
        with contextlib.closing(locker), self._beside(strike):
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
    def _beside(self, call: Callable[[], object]) -> Iterator[None]:
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

        with self._beside(run):
            pass

    # Asking the server

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Look again and again; raise `NotBroughtAbout` when it takes too long."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise NotBroughtAbout(f"Waited in vain for {what}.")
            time.sleep(0.02)

    def wait_running(self, mark: str) -> None:
        """Wait until a session runs a statement with this text."""
        sql = (
            "SELECT id FROM information_schema.processlist"
            " WHERE info LIKE %s AND id <> CONNECTION_ID() AND user <> 'root'"
        )
        self.wait_until(lambda: self.server.query(sql, f"%{mark}%"), "a statement to run")

    def wait_gone(self, session: int) -> None:
        """Wait until the server has ended a session, and its last packet has arrived."""
        sql = "SELECT id FROM information_schema.processlist WHERE id = %s"
        self.wait_until(lambda: not self.server.query(sql, session), "a session to end")
        time.sleep(SETTLE)

    def kill(self) -> None:
        """Do what an administrator does."""
        self.server.query(f"KILL {self.victim}")
        self.wait_gone(self.victim)

    # The end

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
