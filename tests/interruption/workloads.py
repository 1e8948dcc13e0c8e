"""Pieces of work that users do, each to be interrupted at every step the engine takes in it.

``prepare`` sets the stage and is not interrupted, ``act`` is what may be. ``stored`` names every
set of rows that may be there after an interruption, the whole work last: an interrupted
transaction is stored whole or not at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pymysql
from django.db import close_old_connections, connection, models, transaction

from django_lifeline import pools
from tests.fixtures.program_setup import SETUP

MAX_SIZE = 2
PATIENCE = 20
"""Seconds after which a wait of the sweep itself counts as a hang."""

Rows = tuple[str, ...]


class Item(models.Model):
    """A row with the token of the interruption that made it."""

    token = models.CharField(max_length=80)
    label = models.CharField(max_length=20)

    class Meta:
        app_label = "interruption"


class Admin:
    """The administrator's own session, beside the engine."""

    def __init__(self) -> None:
        self._connection = pymysql.connect(
            unix_socket=SETUP["server"]["socket"],
            user="root",
            database=SETUP["database"]["NAME"],
            autocommit=True,
            ssl_disabled=True,
        )

    def __call__(self, sql: str, *args: object) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, args or None)
            return list(cursor.fetchall())

    def sessions(self) -> list[int]:
        """The ids of the sessions that the engine has at the server."""
        sql = "SELECT id FROM information_schema.processlist WHERE db = %s AND user = %s"
        database = SETUP["database"]
        return [number for [number] in self(sql, database["NAME"], database["USER"])]

    def kill(self, number: int) -> None:
        """End a session, and return when it is gone."""
        with suppress(pymysql.OperationalError):  # it has gone by itself
            self(f"KILL {number}")
        wait_until(lambda: number not in self.sessions())

    def kill_all(self) -> None:
        """End all of the engine's sessions."""
        for number in self.sessions():
            self.kill(number)


def wait_until(true: Callable[[], bool]) -> None:
    """Return as soon as something is so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("The sweep waited too long for its own stage.")
        time.sleep(0.001)


@dataclass
class Scene:
    """One run of a piece of work."""

    admin: Admin
    token: str
    hooks: list[str] = field(default_factory=list)
    """What the work's commit hooks left behind."""
    holders: list[Holder] = field(default_factory=list)

    def create(self, label: str) -> None:
        """Store a row."""
        Item.objects.create(token=self.token, label=label)

    def read(self) -> None:
        """Ask for a row nobody else asks for, and be sure that it is the one."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s", [self.token])
            [found] = cursor.fetchone()
        assert found == self.token, f"asked for {self.token}, got {found}"

    def session(self) -> int:
        """The id of the session in the wrapper's hands."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT CONNECTION_ID()")
            return int(cursor.fetchone()[0])

    def release(self) -> None:
        """Let the holders end."""
        for holder in self.holders:
            holder.may_end.set()
        for holder in self.holders:
            holder.join(PATIENCE)
        self.holders.clear()

    def hold(self, count: int, *, inside: bool, until: Callable[[], bool] | None = None) -> None:
        """Let other threads hold connections: inside a transaction, or at rest after a query."""
        self.holders += [Holder(inside=inside, until=until) for _ in range(count)]
        for holder in self.holders:
            holder.start()
        for holder in self.holders:
            assert holder.holds.wait(PATIENCE)


class Holder(threading.Thread):
    """Holds a connection, until it may end or something else is so."""

    def __init__(self, *, inside: bool, until: Callable[[], bool] | None) -> None:
        super().__init__(daemon=True)
        self.inside = inside
        self.until = until
        self.holds = threading.Event()
        self.may_end = threading.Event()

    def run(self) -> None:
        if self.inside:
            with transaction.atomic():
                self._hold()
        else:
            self._hold()
        connection.close()

    def _hold(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        self.holds.set()
        while not self.may_end.wait(0.001 if self.until else None):
            if self.until and self.until():
                return


class Undone(Exception):
    """What the application raises to roll a savepoint back."""


@dataclass(frozen=True)
class Workload:
    """A piece of work; ``fresh`` begins with a wrapper that has never held a connection."""

    act: Callable[[Scene], None]
    prepare: Callable[[Scene], None] = lambda scene: scene.read()
    stored: tuple[Rows, ...] = ((),)
    fresh: bool = False
    expects: str = ""
    """The name of the error that it ends with when nothing interrupts it."""


def nothing(scene: Scene) -> None:
    """Have no stage to set."""


def read(scene: Scene) -> None:
    """Read a row by the ORM, and one with a marker."""
    assert Item.objects.get(token="seed", label="seed 0").label == "seed 0"
    scene.read()


def create(scene: Scene) -> None:
    """Store one row in autocommit."""
    scene.create("one")


def create_many(scene: Scene) -> None:
    """Store several rows by one call."""
    Item.objects.bulk_create(Item(token=scene.token, label=label) for label in ("one", "two"))


def atomic(scene: Scene) -> None:
    """Store two rows in a transaction."""
    with transaction.atomic():
        scene.create("one")
        scene.create("two")


def savepoint(scene: Scene) -> None:
    """Undo a part of a transaction."""
    with transaction.atomic():
        scene.create("one")
        with suppress(Undone), transaction.atomic():
            scene.create("undone")
            raise Undone
        scene.create("two")


def roll_back(scene: Scene) -> None:
    """Undo a whole transaction."""
    with suppress(Undone), transaction.atomic():
        scene.create("undone")
        raise Undone


def commit_hook(scene: Scene) -> None:
    """Run a hook after a commit, which uses the database itself."""

    def hook() -> None:
        scene.hooks.append("ran")
        scene.read()

    with transaction.atomic():
        scene.create("one")
        transaction.on_commit(hook)


def by_hand(scene: Scene) -> None:
    """Switch autocommit off and on again."""
    transaction.set_autocommit(False)
    scene.create("one")
    scene.create("two")
    transaction.commit()
    transaction.set_autocommit(True)


def abandoned_iterator(scene: Scene) -> None:
    """Begin to iterate and leave it."""
    rows = Item.objects.filter(token="seed").iterator(chunk_size=2)
    assert next(rows).token == "seed"
    del rows
    scene.read()


def abandoned_stream(scene: Scene) -> None:
    """Begin to read several results and leave them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1; SELECT 2; SELECT 3")
        assert cursor.fetchall() == ((1,),)
        cursor.nextset()
    scene.read()


def give_back(scene: Scene) -> None:
    """End a piece of work."""
    close_old_connections()


def close(scene: Scene) -> None:
    """Close, as some people do."""
    connection.close()


def stain(scene: Scene) -> None:
    """Leave a mark in the session."""
    with connection.cursor() as cursor:
        cursor.execute("SET @stain = 1")
        cursor.execute("SET SESSION sql_mode = 'ANSI_QUOTES'")


def lock(scene: Scene) -> None:
    """Take a lock that only this session can give back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", [SETUP["database"]["NAME"]])


def stain_and_give_back(scene: Scene) -> None:
    """Leave marks in a session and give it back."""
    stain(scene)
    close_old_connections()


def killed(scene: Scene) -> None:
    """Have a session, and lose it unseen."""
    scene.admin.kill(scene.session())


def killed_with_settings(scene: Scene) -> None:
    """Have a session with settings of its own, and lose it unseen."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = 'ANSI_QUOTES'")
    scene.admin.kill(scene.session())


def kept(scene: Scene) -> None:
    """Read with the settings that were made before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@sql_mode")
        assert "ANSI_QUOTES" in cursor.fetchone()[0]


def killed_inside(scene: Scene) -> None:
    """Lose the connection inside a transaction."""
    with transaction.atomic():
        scene.create("one")
        scene.admin.kill(scene.session())
        scene.create("two")


def killed_before_commit(scene: Scene) -> None:
    """Lose the connection right before COMMIT."""
    with transaction.atomic():
        scene.create("one")
        scene.admin.kill(scene.session())


def all_gone(scene: Scene) -> None:
    """Begin with an empty pool, so that the work has to connect."""
    pools["default"].drain()


def all_in_use(scene: Scene) -> None:
    """Let all connections be in use; one is given back as soon as somebody waits."""
    stats = pools["default"].stats
    scene.hold(MAX_SIZE, inside=True, until=lambda: stats().waiting > 0)


def all_at_rest(scene: Scene) -> None:
    """Let all connections rest with threads that live on."""
    scene.hold(MAX_SIZE, inside=False)


WHOLE: tuple[Rows, ...] = ((), ("one", "two"))

WORKLOADS: dict[str, Workload] = {
    "read": Workload(read),
    "read in a fresh thread": Workload(read, nothing, fresh=True),
    "connect": Workload(read, all_gone, fresh=True),
    "create": Workload(create, stored=((), ("one",))),
    "create many": Workload(create_many, stored=WHOLE),
    "atomic": Workload(atomic, stored=WHOLE),
    "atomic in a fresh thread": Workload(atomic, nothing, stored=WHOLE, fresh=True),
    "savepoint": Workload(savepoint, stored=WHOLE),
    "rollback": Workload(roll_back),
    "commit hook": Workload(commit_hook, stored=((), ("one",))),
    "autocommit off": Workload(by_hand, stored=WHOLE),
    "abandoned iterator": Workload(abandoned_iterator),
    "abandoned results": Workload(abandoned_stream),
    "give back": Workload(give_back),
    "close": Workload(close),
    "reset": Workload(give_back, stain),
    "stain": Workload(stain_and_give_back),
    "discard a lock": Workload(give_back, lock),
    "queue": Workload(read, all_in_use, fresh=True),
    "queue for atomic": Workload(atomic, all_in_use, stored=WHOLE, fresh=True),
    "recall": Workload(read, all_at_rest, fresh=True),
    "heal a read": Workload(read, killed),
    "heal a write": Workload(create, killed, stored=((), ("one",))),
    "heal atomic": Workload(atomic, killed, stored=WHOLE),
    "heal with settings": Workload(kept, killed_with_settings),
    "lost inside": Workload(killed_inside, expects="ConnectionLost"),
    "lost before commit": Workload(killed_before_commit, expects="ConnectionLost"),
}
