"""What the programs of this folder share. Each of them runs in a process of its own.

One program has both engines, as databases of different names, so that the same code can show the
trouble with Django's own engine and its absence with ours.
"""

from __future__ import annotations

import contextlib
import copy
import json
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.db import Error, connections, models
from tests.fixtures.program_setup import SETUP, admin

from django_lifeline.exceptions import ConnectionLost

STOCK = "django.db.backends.mysql"
LIFELINE = "django_lifeline.backends.mysql"
ENGINES = {"stock": STOCK, "lifeline": LIFELINE}
PATIENCE = 20.0
ESTABLISHED = "01"


class Row(models.Model):
    """The one table of these programs: who wrote what."""

    tag = models.CharField(max_length=200, db_index=True)
    number = models.IntegerField(default=0)

    class Meta:
        app_label = "toolbox"
        db_table = "row_written"


def create_table(alias: str = "default") -> None:
    """Make the table of `Row`."""
    with connections[alias].schema_editor() as editor:
        editor.create_model(Row)
    connections[alias].close()


def database(alias: str, engine: str, **changes: Any) -> str:
    """Add an alias for the same database with other settings; ``OPTIONS`` are merged."""
    settings = copy.deepcopy(connections.settings["default"])
    options = {**settings["OPTIONS"], **changes.pop("OPTIONS", {})}
    engine = ENGINES.get(engine, engine)
    if engine == STOCK:
        options.pop("pool", None)
        options.pop("lifeline", None)
    persistent = {"CONN_MAX_AGE": None}
    settings.update({**persistent, **changes, "ENGINE": engine, "OPTIONS": options})
    connections.settings[alias] = settings
    return alias


def told(error: BaseException) -> str:
    """The class of an error, its number, and what became of the work where it says so."""
    words = [type(error).__name__, str(error.args[0] if error.args else "")]
    if isinstance(error, ConnectionLost):
        words.append(error.diagnosis.label.value)
    return " ".join(words)


def outcome(call: Callable[[], Any]) -> str:
    """``ok``, or ``ok`` and what was returned, or what was raised."""
    try:
        value = call()
    except Error as error:
        return told(error)
    return "ok" if value is None else f"ok {value}"


def forget(alias: str) -> None:
    """Begin anew with this alias, whatever state its wrapper is in."""
    with contextlib.suppress(Exception):
        pool = getattr(connections[alias], "pool", None)
        connections[alias].close()
        if pool is not None:
            pool.drain()
    with contextlib.suppress(AttributeError):
        del connections[alias]


def one(alias: str, sql: str, params: Any = None) -> Any:
    """The first value of the first row."""
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, params)
        row = cursor.fetchone()
        return None if row is None else row[0]


def run(alias: str, sql: str, params: Any = None) -> None:
    """Run a statement that has no rows."""
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, params)


def stored(tag: str) -> int:
    """How many rows have this tag, seen from outside."""
    return int(admin("SELECT COUNT(*) FROM row_written WHERE tag = %s", tag)[0][0])


def session_id(alias: str) -> int:
    """The server's id of this alias's session."""
    return int(one(alias, "SELECT CONNECTION_ID()"))


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


def wait_gone(ids: set[int]) -> None:
    """Wait until the server has ended these sessions."""
    wait_until(lambda: not ids & sessions(), f"for {ids} to end")


def kill(*ids: int) -> None:
    """KILL sessions and wait until they are gone."""
    for each in ids:
        with contextlib.suppress(Exception):
            admin(f"KILL {each}")
    wait_gone(set(ids))
    # MySQL takes a session off its list a moment before it closes the socket.
    wait_until(lambda: not _connected(set(ids)), "for the killed sessions' sockets to close")


def _connected(ids: set[int]) -> bool:
    """Whether a wrapper of this thread holds one of these sessions, whose socket is silent yet."""
    holds = [getattr(wrapper, "_hold", None) for wrapper in connections.all(initialized_only=True)]
    return any(
        hold.connection.server_thread_id in ids and hold.connection.channel.silent()
        for hold in holds
        if hold is not None
    )


def wait_until_seen(alias: str) -> None:
    """Wait until the server's end has come through what stands between: the socket shows it."""
    connection = connections[alias].connection
    channel = getattr(connection, "channel", None)
    deadline = time.monotonic() + 5
    while channel is not None and channel.silent() and time.monotonic() < deadline:
        time.sleep(0.005)


def wait_running(fragment: str) -> int:
    """Wait until a session runs a statement with this text; return the session's id."""
    found: list[int] = []

    def look() -> bool:
        rows = admin(
            "SELECT id FROM information_schema.processlist"
            " WHERE info LIKE %s AND id <> CONNECTION_ID()",
            f"%{fragment}%",
        )
        found[:] = [int(row[0]) for row in rows]
        return bool(found)

    wait_until(look, f"for {fragment!r} to run")
    return found[0]


def unread(port: int) -> int:
    """How many bytes have arrived at this local port that nobody has read yet."""
    return sum(_queues(local=port)[1])


def unsent(port: int) -> int:
    """How many bytes for this local port have not left their sender, and cannot for now."""
    return sum(_queues(remote=port)[0])


def _queues(local: int = 0, remote: int = 0) -> tuple[list[int], list[int]]:
    sending, receiving = [0], [0]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, here, there, state, queues = line.split()[:5]
        ports = int(here.split(":")[1], 16), int(there.split(":")[1], 16)
        if state == ESTABLISHED and (ports[0] == local or ports[1] == remote):
            sending.append(int(queues.split(":")[0], 16))
            receiving.append(int(queues.split(":")[1], 16))
    return sending, receiving


def cut_descriptor(alias: str) -> None:
    """Shut down the socket of this thread's connection, behind everybody's back."""
    connection = connections[alias].connection
    fd = connection._sock.fileno() if SETUP["driver"] == "pymysql" else connection.fileno()
    duplicate = socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM)
    with contextlib.suppress(OSError):
        duplicate.shutdown(socket.SHUT_RDWR)
    duplicate.close()


@contextlib.contextmanager
def in_thread(call: Callable[[], Any]) -> Iterator[list[Any]]:
    """Run ``call`` beside the block; its result is in the list once the block has ended."""
    results: list[Any] = []

    def target() -> None:
        try:
            results.append(call())
        except BaseException:
            results.append(traceback.format_exc())

    thread = threading.Thread(target=target)
    thread.start()
    try:
        yield results
    finally:
        thread.join()


def say(report: object) -> None:
    """Print what the test will judge."""
    print(json.dumps(report, default=str))


Check = Callable[[str], Any]


class Checks:
    """Functions of an alias, run one after the other for each engine."""

    def __init__(self) -> None:
        self.functions: list[Check] = []

    def __call__(self, function: Check) -> Check:
        """Add a function; used as a decorator."""
        self.functions.append(function)
        return function

    def report(self, **settings: Any) -> dict[str, dict[str, Any]]:
        """Run all; what each returned by engine and name, or the traceback of one that failed."""
        return {
            engine: {
                function.__name__: self._run(function, f"{engine}-{function.__name__}", settings)
                for function in self.functions
            }
            for engine in ENGINES
        }

    def _run(self, function: Check, alias: str, settings: dict[str, Any]) -> Any:
        database(alias, alias.split("-")[0], **settings)
        try:
            return function(alias)
        except Exception:
            return traceback.format_exc()
        finally:
            forget(alias)
