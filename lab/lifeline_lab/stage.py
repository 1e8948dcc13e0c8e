"""What the lab's programs use to tell what happens to them, and to wait for the fault.

A program is written as a user would write it. It says when it is `ready`, wraps what its
caller would notice in `attempt`, and calls `pause` where a real one would be busy or idle for
long: there the lab does its harm and lets the program go on. Nothing here touches a database.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

FOLDER_VARIABLE = "LIFELINE_LAB_FOLDER"
PROGRAMS = Path(__file__).parent / "programs"
PAUSE_POLL = 0.02
"""Seconds between two looks for the lab's permission to go on."""
PAUSE_LIMIT = 120.0
"""Seconds after which a program whose lab was killed ends by itself."""


def folder() -> Path:
    """Return the cell's private folder: its specification, its history, its pauses."""
    return Path(os.environ[FOLDER_VARIABLE])


def specification() -> dict[str, Any]:
    """Return what the lab wants of this cell: server, driver, arm (never a password)."""
    found: dict[str, Any] = json.loads((folder() / "cell.json").read_text())
    return found


def record(event: str, op: str = "", **facts: object) -> None:
    """Append one event to the history; one write, so that processes cannot mix their lines."""
    lane = f"{os.getpid()} {threading.current_thread().name}"
    line = {"t": time.monotonic(), "event": event, "op": op, "lane": lane, **facts}
    file = os.open(folder() / "history.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, (json.dumps(line, default=str) + "\n").encode())
    finally:
        os.close(file)


def ready() -> None:
    """Say that the program is set up: what fails from here on is the database's doing."""
    record("ready")


def done() -> None:
    """Say that the program reached its end."""
    record("done")


@contextmanager
def attempt(op: str, **facts: object) -> Iterator[SimpleNamespace]:
    """Record one thing the caller wanted; an error is written down and the program goes on.

    Set ``.value`` on the object to record an answer with it.
    """
    answer = SimpleNamespace(value=None)
    record("start", op)
    try:
        yield answer
    except Exception as error:
        record("fail", op, **facts, **describe(error))
    except BaseException as error:
        record("interrupted", op, error=type(error).__name__)
        raise
    else:
        record("ok", op, value=answer.value, **facts)


def pause(name: str) -> None:
    """Be busy elsewhere, or idle, until the lab has done its harm."""
    record("pause", name)
    gate = folder() / f"go.{name}"
    deadline = time.monotonic() + PAUSE_LIMIT
    while not gate.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody ended the pause {name!r}: the lab is gone")
        time.sleep(PAUSE_POLL)
    record("resume", name)


def describe(error: BaseException) -> dict[str, object]:
    """Return class, number, ancestry and text of an error, and whether the program is at fault."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else None
    ancestors = [kind.__name__ for kind in type(error).__mro__]
    return {
        "error": type(error).__name__,
        "code": code,
        "kinds": ancestors,
        "text": str(error)[:300],
        "bug": _is_programs_own(error),
    }


def _is_programs_own(error: BaseException) -> bool:
    """Tell a mistake in the program from trouble with the database.

    A confused driver raises TypeError and the like as well: only the innermost frame tells.
    """
    if isinstance(error, ImportError | SyntaxError):
        return True
    if not isinstance(error, NameError | AttributeError | TypeError | LookupError | ValueError):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).is_relative_to(PROGRAMS)


class HistoryHandler(logging.Handler):
    """The error log of a web site, written to the history."""

    def emit(self, entry: logging.LogRecord) -> None:
        error = entry.exc_info[1] if entry.exc_info else None
        if error is not None:
            record("logged", entry.getMessage(), **describe(error))


def watch_connections() -> None:
    """Record every connection Django opens, with the server's number for its session."""
    from django.db.backends.signals import connection_created

    connection_created.connect(_opened, dispatch_uid="lifeline-lab")


def _opened(connection: Any, **_: object) -> None:
    try:
        session = int(connection.connection.thread_id())
    except Exception:  # a driver in an odd state must not change what the program sees
        session = None
    record("connected", connection.alias, session=session)


def use_pymysql() -> None:
    """Do what users of PyMySQL do in their settings."""
    import pymysql

    pymysql.install_as_MySQLdb()
