"""What one incident stands on: its own database and alias, by the way that its setting says."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.db import connections

from lifeline_lab.arms import LIFELINE_ENGINE
from lifeline_lab.incidents.kinds import HAPROXY, SOCKET, WIRE
from lifeline_lab.incidents.network import NO_LIMIT, haproxy
from lifeline_lab.incidents.place import Place
from lifeline_lab.incidents.setting import Setting
from lifeline_lab.servers import Server
from lifeline_lab.wire import WireProxy

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


class NotBroughtAbout(Exception):
    """The lab could not make the incident happen; says nothing about the engine."""


class Ground:
    """The server, the alias, what lies between, and an eye on the server's sessions."""

    def __init__(
        self, setting: Setting, place: Place, strike: Callable[[], object], stack: ExitStack
    ) -> None:
        self.setting = setting
        self.place = place
        self.strike = strike
        """Lets the kind's disaster happen; returns when it has."""
        self.chance = random.Random(setting.seed)
        self.notes: dict[str, Any] = {}
        """What was drawn besides the setting."""
        self.alias = f"incident-{setting.seed}"
        self.database = f"incident_{setting.seed.replace('-', '_')}"
        self.server: Server = place.steady
        self.proxy: WireProxy | None = None
        self.victim = 0
        """The server's id of the session that something happens to."""
        self._stack = stack

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
        if pool is not None or not self.setting.pooled:
            options["pool"] = False if pool is None else dict(pool)
        if lifeline:
            options["lifeline"] = dict(lifeline)
        if session:
            sets = ", ".join(f"SESSION {name} = {value}" for name, value in session.items())
            options["init_command"] = f"SET {sets}"
        self._add_alias({**self._address(idle_limit), **django}, {**self._usual(), **options})

    def _usual(self) -> dict[str, Any]:
        """Return the driver's options as the setting has them."""
        setting = self.setting
        options = {"connect_timeout": 10, **_TLS[setting.driver][setting.tls]}
        if setting.read_timeout:
            options["read_timeout"] = setting.read_timeout
        return options

    def _address(self, idle_limit: float) -> dict[str, Any]:
        way, server = self.setting.way, self.server
        port = server.port
        if way == SOCKET:
            return {"HOST": server.socket}
        if way == WIRE:
            wire = WireProxy(server.host, server.port, tls=self.setting.tls)
            self.proxy = self._stack.enter_context(wire)
            port = self.proxy.port
        elif way == HAPROXY:
            between = haproxy(self.folder(), server.host, server.port, idle=idle_limit)
            port = self._stack.enter_context(between)
        return {"HOST": server.host, "PORT": port}

    def defer(self, call: Callable[[], object]) -> None:
        """Do something when the incident is over."""
        self._stack.callback(call)

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
