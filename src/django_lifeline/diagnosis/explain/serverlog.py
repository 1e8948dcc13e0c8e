"""What the database server, systemd and the kernel write about the same troubles."""

from __future__ import annotations

import re
from enum import Enum


class Event(Enum):
    """Something that a server's own log tells."""

    ABORTED_IDLE = "aborted_idle"
    ABORTED_SENDING = "aborted_sending"
    ABORTED_OTHER = "aborted_other"
    BIG_PACKET = "big_packet"
    STOPPED = "stopped"
    STARTED = "started"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out_of_memory"
    KILLED = "killed"
    FULL = "full"


_ABORTED = (
    (Event.BIG_PACKET, "bigger than 'max_allowed_packet'"),
    (Event.ABORTED_SENDING, "Got timeout writing communication packets"),
    (Event.ABORTED_SENDING, "Got an error writing communication packets"),
    (Event.ABORTED_IDLE, "Got timeout reading communication packets"),
    (Event.ABORTED_IDLE, "because of inactivity"),
    (Event.KILLED, "KILLED"),
    (Event.KILLED, "Connection was killed"),
)
_LINES = (
    (Event.STARTED, re.compile(r"(?:mysqld|mariadbd)\S*: ready for connections")),
    (Event.STARTED, re.compile(r"Started (?:MySQL|MariaDB|mysql|mariadb)")),
    (Event.STOPPED, re.compile(r"(?:mysqld|mariadbd)\S*: (?:Shutdown complete|Normal shutdown)")),
    (
        Event.STOPPED,
        re.compile(r"(?:mysqld|mariadbd)\S* \(initiated by|Received SHUTDOWN from user"),
    ),
    (Event.STOPPED, re.compile(r"Stopp(?:ed|ing) (?:MySQL|MariaDB|mysql|mariadb)")),
    (Event.CRASHED, re.compile(r"(?:mysqld|mariadbd) got (?:signal|exception)")),
    (Event.OUT_OF_MEMORY, re.compile(r"(?:Out of memory|oom).*\((?:mysqld|mariadbd)\)")),
    (Event.FULL, re.compile(r"\[(?:Warning|ERROR)\].*Too many connections")),
)
_WORDS = re.compile(r"mysql|maria|MySQL|Maria|Aborted conn|SHUTDOWN|\[Warn|\[ERR")


def event_in(text: str) -> Event | None:
    """Return what *text* tells, if it is such a log's line."""
    if _WORDS.search(text) is None:
        return None
    if "Aborted connection" in text:
        return next((event for event, words in _ABORTED if words in text), Event.ABORTED_OTHER)
    return next((event for event, pattern in _LINES if pattern.search(text)), None)
