"""Runs cells with one driver on one server, in a process of its own; prints what it found as JSON.

PyMySQL takes mysqlclient's place for a whole process, and settings are configured once.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import gc
import importlib.metadata
import json
import logging
import os
import platform
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pymysql

from tests.fixtures.drivers import TRANSPORT_PARAMS

ENGINES = {"lifeline": "django_lifeline.backends.mysql", "stock": "django.db.backends.mysql"}
HANGS = 20.0
AGAIN = 3


def arguments() -> argparse.Namespace:
    """What to run, and on which server."""
    parser = argparse.ArgumentParser(prog="python -m tests.sweep.program")
    parser.add_argument("--driver", choices=("mysqlclient", "pymysql"), required=True)
    parser.add_argument("--engine", choices=ENGINES, default="lifeline")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0, help="stop then; 0: run all")
    parser.add_argument("--workload", action="append")
    parser.add_argument("--workloads", type=int, help="so many of them, chosen by the seed")
    parser.add_argument("--cell", action="append", default=[])
    parser.add_argument("--lanes", type=int, default=12)
    parser.add_argument("--tls", action="store_true")
    return parser.parse_args()


ARGUMENTS = arguments()
SERVER: dict[str, Any] = json.loads(os.environ["LIFELINE_SWEEP"])


def configure(ports: list[int], folder: str) -> None:
    """Set Django up with one database for each lane."""
    if ARGUMENTS.driver == "pymysql":
        pymysql.install_as_MySQLdb()
    import django
    from django.conf import settings

    databases = {
        f"lane{number}": {
            "ENGINE": ENGINES[ARGUMENTS.engine],
            "HOST": "127.0.0.1",
            "PORT": port,
            "USER": SERVER["user"],
            "PASSWORD": SERVER["password"],
            "NAME": f"sweep_{os.getpid()}_{number}",
            "OPTIONS": options(),
            # Django's own engine has no pool: there only this keeps a connection.
            "CONN_MAX_AGE": 0 if ARGUMENTS.engine == "lifeline" else None,
        }
        for number, port in enumerate(ports)
    }
    settings.configure(
        DATABASES={**databases, "default": {"ENGINE": "django.db.backends.dummy"}},
        DATABASE_ROUTERS=["tests.sweep.paper.routing.Router"],
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "tests.sweep.paper.apps.PaperConfig",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        MESSAGE_STORAGE="django.contrib.messages.storage.cookie.CookieStorage",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF="tests.sweep.paper.urls",
        SECRET_KEY="sweep",
        ALLOWED_HOSTS=["testserver"],
        LOGGING_CONFIG=None,
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()
    logging.disable()
    if ARGUMENTS.engine == "lifeline":
        ask_always()


def ask_always() -> None:
    """Have every connection asked the same, so that the same packet is struck each time.

    Whether its database hides code is known for a while, which depends on how long it took to ask.
    """
    from django_lifeline.backends import assembly

    assembly.HIDES_FOR = 0


def options() -> dict[str, Any]:
    """The driver's options: every wait is short, since silence is one of the faults."""
    found: dict[str, Any] = {"connect_timeout": 1, "read_timeout": 1, "write_timeout": 1}
    found.update(TRANSPORT_PARAMS[ARGUMENTS.driver]["tls" if ARGUMENTS.tls else "plain"])
    if ARGUMENTS.engine == "lifeline":
        found["pool"] = {"max_size": 2, "timeout": 5}
        found["lifeline"] = {"ping_timeout": 0.5}
    return found


def admin(sql: str) -> None:
    """Run one statement as the administrator."""
    with (
        pymysql.connect(
            unix_socket=SERVER["socket"], user="root", autocommit=True, ssl_disabled=True
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)


def make_databases(count: int) -> list[str]:
    """Make the lanes' databases, the first by Django, the others as copies of it."""
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connections

    from tests.sweep.paper import routing

    names = [f"sweep_{os.getpid()}_{number}" for number in range(count)]
    admin(f"CREATE DATABASE {names[0]} CHARACTER SET utf8mb4")
    routing.use("lane0")
    for label, goal in (("contenttypes", None), ("auth", None), ("admin", None), ("paper", "0001")):
        wanted = (label, goal) if goal else (label,)
        call_command("migrate", *wanted, database="lane0", verbosity=0)
    User.objects.db_manager("lane0").create_superuser("editor", password="editor")
    tables = connections["lane0"].introspection.table_names()
    connections["lane0"].close()
    for name in names[1:]:
        admin(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        for table in tables:
            admin(f"CREATE TABLE {name}.{table} LIKE {names[0]}.{table}")
            admin(f"INSERT INTO {name}.{table} SELECT * FROM {names[0]}.{table}")
    return names


class Sweep:
    """All lanes, and what is left to run."""

    def __init__(self, lanes: list[Any]) -> None:
        from tests.sweep.workloads import WORKLOADS

        self.lanes = lanes
        self.random = random.Random(ARGUMENTS.seed)
        wanted = [
            workload
            for name, workload in WORKLOADS.items()
            if workload.tls == ARGUMENTS.tls and self._wanted(name)
        ]
        if ARGUMENTS.workloads is not None:
            wanted = self.random.sample(wanted, min(ARGUMENTS.workloads, len(wanted)))
        self.workloads = {workload.name: workload for workload in wanted}
        self.failures: list[dict[str, str]] = []
        self.once: list[dict[str, str]] = []
        """What was seen, and not when the cell ran again."""
        self.coverage: collections.Counter[tuple[str, str]] = collections.Counter()
        self.workload_cells: collections.Counter[str] = collections.Counter()
        self.endings: collections.Counter[str] = collections.Counter()
        self.missed: list[str] = []
        """Cells whose packet never came by."""
        self.broken: list[str] = []
        """Cells that could not be judged, by a fault of the sweep itself."""
        self.ran = 0
        self.queue: collections.deque[Any] = collections.deque()
        self._busy: dict[int, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def _wanted(self, name: str) -> bool:
        from tests.sweep.cells import parse

        named = {parse(cell)[0] for cell in ARGUMENTS.cell} | set(ARGUMENTS.workload or ())
        return not named or name in named

    def enumerate(self) -> int:
        """Run each workload without a fault and list its cells; return how many there are."""
        from tests.sweep.cells import enumerate_cells, parse

        lane = self.lanes[0]
        cells = []
        for workload in self.workloads.values():
            # The first run meets what is asked only once of a server.
            for _ in range(2):
                facts = lane.run(workload, None)
            self._judge(workload.name, facts)
            phases = {packet.phase for packet in facts.seen.packets}
            assert ("TLS data" in phases) is ARGUMENTS.tls, phases
            cells += enumerate_cells(workload.name, facts.seen.packets)
        total = len(cells)
        if ARGUMENTS.cell:
            wanted = {parse(name) for name in ARGUMENTS.cell}
            cells = [cell for cell in cells if (cell.workload, cell.fault) in wanted]
        self.random.shuffle(cells)
        self.queue.extend(cells)
        return total

    def run(self) -> None:
        """Run what is queued in all lanes, until it is done or time is up."""
        ends = time.monotonic() + ARGUMENTS.seconds if ARGUMENTS.seconds else None
        threads = [
            threading.Thread(target=self._work, args=(number, ends))
            for number in range(len(self.lanes))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(1)
                self._free_who_hangs()

    def confirm(self) -> None:
        """Run what broke a law again, alone: on a busy machine a wait of a second may be short."""
        from tests.sweep.cells import parse
        from tests.sweep.laws import violations

        found, self.failures = self.failures, []
        again: dict[str, bool] = {}
        for failure in found:
            name = failure["cell"]
            if failure["law"] != "hang" and "/" in failure["point"] and name not in again:
                workload, fault = parse(name)
                runs = (self.lanes[0].run(self.workloads[workload], fault) for _ in range(AGAIN))
                again[name] = any(violations(facts) for facts in runs)
            (self.failures if again.get(name, True) else self.once).append(failure)

    def _work(self, number: int, ends: float | None) -> None:
        while ends is None or time.monotonic() < ends:
            try:
                cell = self.queue.popleft()
            except IndexError:
                return
            self._busy[number] = time.monotonic(), cell.name
            try:
                facts = self.lanes[number].run(self.workloads[cell.workload], cell.fault)
            except Exception as error:
                with self._lock:
                    del self._busy[number]
                    self.broken.append(f"{cell.name}: {type(error).__name__} {error}")
                self.lanes[number].wire.abort()
                continue
            with self._lock:
                del self._busy[number]
                self.ran += 1
                if not facts.seen.fired:
                    self.missed.append(cell.name)
                self.coverage[cell.where, facts.kind] += 1
                self.workload_cells[cell.workload] += 1
                self._judge(cell.name, facts)

    def _judge(self, name: str, facts: Any) -> None:
        from tests.sweep.laws import violations

        self.endings[str(facts.raised) if facts.raised else "success"] += 1
        for law, said in violations(facts):
            self._fail(law, name, facts.seen.struck, said)

    def _fail(self, law: str, name: str, phase: str, said: str) -> None:
        prefix = f"{SERVER['flavour']}/{ARGUMENTS.driver}{'+tls' if ARGUMENTS.tls else ''}"
        cell = f"{prefix}/{name}"
        self.failures.append(
            {"law": law, "cell": cell, "point": name, "phase": phase, "said": said}
        )

    def result(self) -> dict[str, Any]:
        """What it found."""
        return {
            "ran": self.ran,
            "missed": self.missed,
            "broken": self.broken,
            "coverage": [[*key, number] for key, number in sorted(self.coverage.items())],
            "workloads": dict(sorted(self.workload_cells.items())),
            "endings": dict(self.endings.most_common()),
            "failures": self.failures,
            "once": self.once,
        }

    def _free_who_hangs(self) -> None:
        for number, (since, name) in list(self._busy.items()):
            if time.monotonic() - since > HANGS:
                faulthandler.dump_traceback()
                self._fail("hang", name, "", "hangs")
                self._busy[number] = time.monotonic(), name
                self.lanes[number].wire.abort()


def versions() -> dict[str, Any]:
    """What ran on what."""
    import django

    return {
        "server": SERVER["flavour"],
        "server_version": SERVER["version"],
        "driver": ARGUMENTS.driver,
        "driver_version": importlib.metadata.version(ARGUMENTS.driver),
        "django_version": django.get_version(),
        "python_version": platform.python_version(),
        "tls": ARGUMENTS.tls,
        "engine": ARGUMENTS.engine,
        "seed": ARGUMENTS.seed,
    }


def prepared(stack: ExitStack) -> Iterator[Any]:
    """Start proxies, databases and lanes."""
    from tests.sweep.wire import Wire

    wires = [
        stack.enter_context(Wire(SERVER["host"], SERVER["port"], tls=ARGUMENTS.tls))
        for _ in range(ARGUMENTS.lanes)
    ]
    configure([wire.port for wire in wires], "")
    for name in make_databases(len(wires)):
        stack.callback(admin, f"DROP DATABASE {name}")
    from django.contrib.auth.models import User
    from django.db import connections

    from tests.sweep.lane import Lane, OwnClient
    from tests.sweep.paper import routing

    for number, wire in enumerate(wires):
        alias = f"lane{number}"
        lane = Lane(alias, wire, SERVER["socket"], lifeline=ARGUMENTS.engine == "lifeline")
        stack.callback(lane.close)
        routing.use(alias)
        lane.client = OwnClient()
        lane.client.force_login(User.objects.get())
        connections[alias].close()
        yield lane


def main() -> None:
    """Run, and print one line of JSON."""
    faulthandler.enable()
    with ExitStack() as stack:
        sweep = Sweep(list(prepared(stack)))
        begun = time.monotonic()
        total = sweep.enumerate()
        sweep.run()
        sweep.confirm()
        took = time.monotonic() - begun
        gc.collect()
    print(json.dumps({**versions(), **sweep.result(), "cells": total, "seconds": round(took, 1)}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
