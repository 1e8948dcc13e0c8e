"""What the programs of this folder share: looking at the pool, breaking its connections."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

from tests.fixtures.databases import ended_rudely
from tests.fixtures.program_setup import SETUP, admin
from tests.server.programs.toolbox import PATIENCE, kill, say, wait_until

from django_lifeline import pools

__all__ = [
    "aborted",
    "admin",
    "ask",
    "kill_all",
    "listens",
    "say",
    "sessions_of_this_database",
    "state",
    "used",
    "visit",
    "wait_until",
]


def ask(value: Any = 7) -> Any:
    """Send a value through the database and back."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT %s", [value])
        return cursor.fetchone()[0]


def state() -> dict[str, int]:
    """How many connections the pool has open, idle and in somebody's hands."""
    stats = pools["default"].stats()
    return {"open": stats.size, "idle": stats.idle, "used": stats.used}


def used() -> int:
    """How many are in somebody's hands."""
    return state()["used"]


def sessions_of_this_database() -> set[int]:
    """The ids of the sessions on the program's database, except the administrator's own."""
    rows = admin(
        "SELECT id FROM information_schema.processlist"
        " WHERE db = DATABASE() AND id <> CONNECTION_ID() AND user <> 'root'"
    )
    return {int(row[0]) for row in rows}


def kill_all() -> int:
    """End all those sessions, as an idle timeout would; return how many there were."""
    found = sessions_of_this_database()
    kill(*found)
    return len(found)


def aborted() -> int:
    """How many sessions of this database the server has seen end without a goodbye."""
    log = Path(SETUP["server"]["log_file"]).read_text(errors="replace")
    return ended_rudely(log, SETUP["database"]["NAME"])


def visit(port: int, tag: str) -> dict[str, Any]:
    """What the tagged site answers."""
    address = f"http://127.0.0.1:{port}/?tag={tag}"
    with urllib.request.urlopen(address, timeout=PATIENCE) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def listens(port: int) -> bool:
    """Whether somebody listens at this port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
