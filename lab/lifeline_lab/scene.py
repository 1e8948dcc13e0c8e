"""Where a fault acts: one cell's server, sessions and network, and what is noted of it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from lifeline_lab.admin import Admin, Session
from lifeline_lab.history import Event

LAB_LANE = "lab"
SERVER_LANE = "server"
POLL = 0.05
PATIENCE = 12.0
"""Seconds that a fault may take to have its effect."""


class LabError(Exception):
    """The lab could not do what the scenario wants; says nothing about any arm."""


class Scene:
    """What a fault may use. ``server`` and ``proxy`` are None where there is none of ours.

    ``notes`` is appended to by the cell's thread, its observer and faults at work; appending to
    a list needs no lock.
    """

    def __init__(
        self,
        admin: Admin,
        server: Any = None,
        proxy: Any = None,
        known_sessions: Callable[[], set[int]] | None = None,
    ) -> None:
        self.admin = admin
        self.server = server
        self.proxy = proxy
        self.notes: list[Event] = []
        self._known_sessions = known_sessions
        self._helpers: list[threading.Thread] = []
        self.over = threading.Event()

    def note(self, event: str, op: str = "", lane: str = LAB_LANE, **facts: object) -> None:
        """Write down what the lab did or saw."""
        self.notes.append(Event(time.monotonic(), event, op, lane, facts))

    def sessions(self) -> list[Session]:
        """Return the program's sessions, and nobody else's."""
        known = None if self._known_sessions is None else self._known_sessions()
        return self.admin.sessions(known)

    def kill(self, session: int) -> None:
        """KILL one of the program's sessions."""
        self.admin.kill(session)
        self.note("session ended", lane=SERVER_LANE, session=session)

    def wait_until(self, holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Wait for an effect; `LabError` names what did not come."""
        deadline = time.monotonic() + patience
        while not holds():
            if time.monotonic() > deadline:
                raise LabError(f"{what} did not happen within {patience:g} s")
            time.sleep(POLL)

    def meanwhile(self, work: Callable[[], None]) -> None:
        """Do something beside the program; it should look at ``over`` and end with the cell."""
        helper = threading.Thread(target=work, name="fault", daemon=True)
        self._helpers.append(helper)
        helper.start()

    def close(self) -> None:
        """Let the helpers end."""
        self.over.set()
        for helper in self._helpers:
            helper.join(PATIENCE)


@contextlib.contextmanager
def observed(scene: Scene, every: float = 0.1) -> Iterator[None]:
    """Note when the server gains and loses sessions, while the block runs."""
    stop = threading.Event()

    def watch() -> None:
        known: set[int] = set()
        while not stop.wait(every):
            known = look(scene, known)

    watcher = threading.Thread(target=watch, name="observer", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join(PATIENCE)


def look(scene: Scene, known: set[int]) -> set[int]:
    """Note what changed since the last look. A server that does not answer has no sessions."""
    try:
        now = {session.id for session in scene.sessions()}
    except Exception:
        now = set()
    for number in sorted(now - known):
        scene.note("session opened", lane=SERVER_LANE, session=number)
    for number in sorted(known - now):
        scene.note("session ended", lane=SERVER_LANE, session=number)
    return now
