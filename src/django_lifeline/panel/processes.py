"""What each process of a project tells the others of its pools, by way of a small file.

The files are in a folder of the system's temporary folder that belongs to this user and project.
Only processes of one user on one machine see one another.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import socket
import stat
import sys
import tempfile
import threading
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac

from django_lifeline.backends.notices import observe
from django_lifeline.core.clock import now
from django_lifeline.core.events import ConnectionOpened, Event
from django_lifeline.diagnosis.recent import recent

logger = logging.getLogger(__name__)

INTERVAL = 5.0
"""Seconds between two notes."""
SAMPLES = 120
"""How many of its past states a process remembers: ten minutes."""
STALE = 30.0
"""Seconds after which a process that has not been heard of counts as gone."""
LARGEST = 4 * 1024 * 1024
"""Bytes; a larger file is none of ours."""

Snapshot = dict[str, Any]

_KNOWS_USERS = hasattr(os, "getuid")
"""Not on Windows, where each user's temporary folder is his own anyway."""


class Unsafe(Exception):
    """The folder belongs to somebody else, or others may write to it."""


class Publisher:
    """Writes down every few seconds what this process's pools do, once they have a connection.

    The thread starts with the process's first connection, not with the app.
    """

    def __init__(self) -> None:
        self._began: dict[int, object] = {}
        self.history: deque[list[float]] = deque(maxlen=SAMPLES)
        """When, connections used, idle and waited for, losses healed and raised until then."""
        self.started = now()

    def watch(self) -> None:
        """Begin with the first connection; safe to call twice."""
        observe(self._on_event)

    def _on_event(self, event: Event) -> None:
        if not isinstance(event, ConnectionOpened):
            return
        # In a forked child the thread of its parent does not run. setdefault lets one begin.
        me = object()
        if self._began.setdefault(os.getpid(), me) is me:
            self.history.clear()
            self.started = now()
            threading.Thread(target=self._run, name="lifeline-publisher", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        atexit.register(_remove_own)
        while True:
            try:
                self.sample()
                write(snapshot(self))
            except Unsafe as error:
                logger.warning("The admin page will not show this process: %s", error)
                return
            except Exception:
                logger.debug("This process's state could not be written.", exc_info=True)
            pause.wait(INTERVAL)

    def sample(self) -> None:
        """Remember the present state, unless that was done a moment ago."""
        if self.history and now() - self.history[-1][0] < INTERVAL / 2:
            return
        stats = [pool.stats() for pool in _pools()]
        counts = recent.counts()
        self.history.append(
            [
                now(),
                sum(each.used for each in stats),
                sum(each.idle for each in stats),
                sum(each.waiting for each in stats),
                sum(count.times for count in counts if count.healed),
                sum(count.times for count in counts if not count.healed),
            ]
        )


publisher = Publisher()


def snapshot(of: Publisher = publisher) -> Snapshot:
    """Return what this process's page shows of it, as plain values without secrets."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "program": program(sys.argv),
        "started": of.started,
        "at": now(),
        "pools": [
            {
                **asdict(pool.stats()),
                "sessions": [each.session_number for each in pool.connections()],
            }
            for pool in _pools()
        ],
        "counts": [asdict(count) for count in recent.counts()],
        "latest": [incident.as_dict() for incident in recent.latest()],
        "history": list(of.history),
    }


def _pools() -> list[Any]:
    from django_lifeline.backends.assembly import targets

    targets.notice_fork()
    return [target.pool for target in targets]


def program(argv: list[str]) -> str:
    """Return a short name for a command line; arguments may hold secrets and are left out."""
    path = Path(argv[0] if argv and argv[0] else "python")
    name = path.parent.name if path.name == "__main__.py" else path.name
    if name in ("manage.py", "django-admin") and len(argv) > 1 and argv[1].isidentifier():
        name = f"{name} {argv[1]}"
    return name


def folder() -> Path:
    """Return this user's and project's folder, made if need be; raises `Unsafe`."""
    project = salted_hmac(__name__, str(settings.SETTINGS_MODULE)).hexdigest()[:16]
    user = os.getuid() if _KNOWS_USERS else 0
    path = Path(tempfile.gettempdir()) / f"django-lifeline-{user}-{project}"
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    private = not _KNOWS_USERS or (found.st_uid == user and not found.st_mode & 0o077)
    if not stat.S_ISDIR(found.st_mode) or not private:
        raise Unsafe(f"{path} is not a folder that only this user may use.")
    return path


def _own_file() -> Path:
    return folder() / f"{socket.gethostname()}-{os.getpid()}.json"


def write(content: Snapshot) -> None:
    """Put the snapshot where the others look, whole or not at all."""
    path = _own_file()
    draft = path.with_suffix(".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(draft, flags, 0o600), "w") as file:
        json.dump(content, file, default=str)
    draft.replace(path)


def _remove_own() -> None:
    with contextlib.suppress(OSError, Unsafe, ImproperlyConfigured):
        _own_file().unlink()


def all_processes() -> list[Snapshot]:
    """Return this process's state and what the others wrote last; remove what is stale."""
    return [{**snapshot(), "own": True}, *other_processes()]


def other_processes() -> list[Snapshot]:
    """Return what the other processes wrote last; remove what is stale."""
    found = []
    with contextlib.suppress(OSError, Unsafe):
        own = _own_file().name
        for path in sorted(folder().glob("*.json")):
            other = _read(path) if path.name != own else None
            if other is not None:
                found.append(other)
    return found


def _read(path: Path) -> Snapshot | None:
    try:
        if _is_stale(path):
            path.unlink()
            return None
        if path.stat().st_size > LARGEST:
            return None
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _is_stale(path: Path) -> bool:
    host, _, pid = path.stem.rpartition("-")
    if now() - path.stat().st_mtime > STALE:
        return True
    # Another container may share the temporary folder, but not the processes.
    return host == socket.gethostname() and pid.isdigit() and not _lives(int(pid))


def _lives(pid: int) -> bool:
    if not _KNOWS_USERS:
        return True  # On Windows signal 0 is no question but Ctrl-C; its file's age tells.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
