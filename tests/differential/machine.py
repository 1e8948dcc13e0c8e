"""One process: a server, one driver, both engines, and programs to run with them."""

from __future__ import annotations

import gc
import importlib
import logging
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifeline_lab.servers import Server, start
from tests.differential.steps import Program

if TYPE_CHECKING:
    from tests.differential.laws import Difference

ENGINES = {"stock": "django.db.backends.mysql", "lifeline": "django_lifeline.backends.mysql"}
POOLS = (10, 2, 1)
LOOKS_AT_LOCKS = 4
"""Runs of a program that have to differ in what is locked. Stock Django's own differ now and then:
a failed INSERT locks the deleted row before it, unless InnoDB has purged that by then."""
SERVER_VARIABLES: dict[str, object] = {
    "innodb_lock_wait_timeout": 1,
    "lock_wait_timeout": 2,
    "max_connections": 100,
}


class Machine:
    """Both arms, ready to run programs."""

    def __init__(self, server: Server, proxy: Any) -> None:
        from tests.differential.arm import Arm
        from tests.differential.ground import Ground

        self.server = server
        self._number = 0
        self._proxy = proxy
        grounds = {name: Ground(server, name) for name in ENGINES}
        self.stock = Arm("stock", grounds["stock"], {db: f"stock_{db}" for db in "ab"})
        self.ours = Arm("lifeline", grounds["lifeline"], {})

    def judge(self, program: Program) -> Difference | None:
        """Run a program with both; return the first thing that must not be."""
        for _ in range(LOOKS_AT_LOCKS):
            difference = self._judge_once(program)
            if difference is None or difference.law != "held":
                break
        return difference

    def _judge_once(self, program: Program) -> Difference | None:
        from tests.differential.laws import judge

        self._number += 1
        expected = self.stock.run(program, self._number)
        with self._prepared(program):
            ours = self.ours.run(program, self._number, expected)
        return judge(program, expected, ours)

    def records(self, program: Program) -> tuple[list[Any], list[Any]]:
        """Run a program with both; return all that was written down."""
        self._number += 1
        expected = self.stock.run(program, self._number)
        with self._prepared(program):
            return expected, self.ours.run(program, self._number, expected)

    @contextmanager
    def _prepared(self, program: Program) -> Iterator[None]:
        from django_lifeline import pools

        way = "wire" if program.wire else "direct"
        self.ours.aliases = {db: f"lifeline_{way}_{program.pool}_{db}" for db in "ab"}
        self.ours.proxy = self._proxy() if program.wire else None
        try:
            with point_at(self.ours.aliases.values(), self.ours.proxy):
                yield
        finally:
            # Nothing of this program may reach the next.
            for alias in self.ours.aliases.values():
                pools[alias].drain()
            if self.ours.proxy is not None:
                self.ours.proxy.close()
                self.ours.proxy = None


@contextmanager
def point_at(aliases: Any, proxy: Any) -> Iterator[None]:
    """Let the aliases' connections go through *proxy*, if there is one."""
    from django.db import connections

    if proxy is not None:
        for alias in aliases:
            connections.settings[alias]["PORT"] = proxy.port
    yield


def engine_tried() -> str:
    """The commit of the engine that is imported; refuses one that is not beside these tests.

    An editable install of another checkout would be tried in its place without a word.
    """
    import django_lifeline

    root = Path(__file__).parents[2]
    found = Path(str(django_lifeline.__file__)).parents[2]
    if found != root:
        raise RuntimeError(f"The engine is imported from {found}, the tests are in {root}.")
    return commit_of(root)


def commit_of(root: Path) -> str:
    """The commit checked out in *root*, and whether the engine there has been changed since."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = git("log", "-1", "--format=%h", "--", "src") or "unknown"
    return f"{commit}, changed" if git("status", "--short", "--", "src") else commit


@contextmanager
def machine(flavour: str, driver: str) -> Iterator[Machine]:
    """Set Django up in this process, once, and start a server of its own."""
    engine_tried()
    # What the engine says of each loss is not what is tried here.
    logging.disable(logging.CRITICAL)
    if driver == "pymysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    with start(flavour, SERVER_VARIABLES) as server:
        _set_up(server)
        importlib.import_module("tests.differential.models")
        tried = Machine(server, _proxy_to(server))
        # Garbage is collected after each program, so that nothing of it lives on.
        gc.collect()
        gc.freeze()
        yield tried


def _proxy_to(server: Server) -> Callable[[], Any]:
    from lifeline_lab.wire import WireProxy

    return lambda: WireProxy(server.host, server.port)


def _set_up(server: Server) -> None:
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": {}, **_databases(server)},
        USE_TZ=True,
        INSTALLED_APPS=[],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


def _databases(server: Server) -> dict[str, Any]:
    from tests.differential.ground import PASSWORD

    def database(arm: str, name: str, **options: object) -> dict[str, Any]:
        return {
            "ENGINE": ENGINES[arm],
            "HOST": server.host,
            "PORT": server.port,
            "USER": f"tried_{arm}",
            "PASSWORD": PASSWORD,
            "NAME": f"{arm}_{name}",
            "OPTIONS": options,
            "CONN_HEALTH_CHECKS": name == "b",
        }

    found = {f"stock_{name}": database("stock", name) for name in "ab"}
    for way in ("direct", "wire"):
        for size in POOLS:
            for name in "ab":
                pool = {"max_size": size, "timeout": 0.1}
                alias = f"lifeline_{way}_{size}_{name}"
                patience = {"read_timeout": 2} if way == "wire" else {}
                found[alias] = database("lifeline", name, pool=pool, **patience)
    return found
