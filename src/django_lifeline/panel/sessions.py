"""The sessions of the servers that the settings name, grouped by program, user and host."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from django_lifeline.diagnosis.doctor.connect import CannotConnect, connected
from django_lifeline.diagnosis.saying import tell
from django_lifeline.panel.processes import Snapshot

_SESSIONS = """
    SELECT ID, USER, HOST, COMMAND, TIME FROM information_schema.PROCESSLIST
    WHERE COMMAND NOT IN ('Daemon', 'Binlog Dump') AND ID <> CONNECTION_ID()
"""
_PROGRAMS = """
    SELECT PROCESSLIST_ID, ATTR_VALUE FROM performance_schema.session_connect_attrs
    WHERE ATTR_NAME = 'program_name'
"""
_LIMITS = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('max_connections', 'wait_timeout')"

Ask = Callable[[str], list[tuple[Any, ...]]]


@dataclass(slots=True)
class Group:
    """Sessions of one program, user and host."""

    program: str
    user: str
    host: str
    sessions: int = 0
    idle: int = 0
    longest: int = 0
    """Seconds since one of them did something."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server, or why it does not answer."""

    aliases: list[str]
    place: str
    groups: list[Group] = field(default_factory=list)
    limits: dict[str, str] = field(default_factory=dict)
    error: str = ""
    change: str = ""

    @property
    def total(self) -> int:
        """How many sessions were seen."""
        return sum(group.sessions for group in self.groups)


def servers(processes: Iterable[Snapshot]) -> list[Server]:
    """Ask each server once, on a connection of its own: the pool may have none to spare."""
    known = _our_sessions(processes)
    return [_server(aliases, place, known) for place, aliases in _places().items()]


def _places() -> dict[str, list[str]]:
    places: dict[str, list[str]] = defaultdict(list)
    for alias in connections:
        wrapper = connections[alias]
        if wrapper.vendor == "mysql":
            given = wrapper.settings_dict
            address = given["HOST"] or "localhost"
            address += f":{given['PORT']}" if given["PORT"] else ""
            places[f"{given['USER']}@{address}"].append(alias)
    return places


def _our_sessions(processes: Iterable[Snapshot]) -> dict[tuple[str, int], str]:
    """Which session belongs to which program of this project: the server need not know."""
    return {
        (pool["name"].rpartition("/")[0], session): process["program"]
        for process in processes
        for pool in process["pools"]
        for session in pool["sessions"]
    }


def _server(aliases: list[str], place: str, known: dict[tuple[str, int], str]) -> Server:
    try:
        with connected(connections[aliases[0]]) as (ask, _):
            rows = ask(_SESSIONS)
            limits = {str(name): str(value) for name, value in ask(_LIMITS)}
            programs = dict(_programs(ask))
    except CannotConnect as error:
        change = tell(error.why.change, str).removeprefix("# ")
        return Server(aliases, place, error=error.why.text, change=change)
    groups: dict[tuple[str, str, str], Group] = {}
    for number, user, address, command, seconds in rows:
        program = known.get((place, number)) or programs.get(number, "not known")
        key = (program, user, address.rpartition(":")[0] or address)
        group = groups.setdefault(key, Group(*key))
        group.sessions += 1
        group.idle += command == "Sleep"
        group.longest = max(group.longest, int(seconds or 0))
    ordered = sorted(groups.values(), key=lambda group: (-group.sessions, group.program))
    return Server(aliases, place, ordered, limits)


def _programs(ask: Ask) -> Iterator[tuple[int, str]]:
    try:
        rows = ask(_PROGRAMS)
    except Exception:
        return  # Few accounts may read performance_schema.
    yield from ((int(number), str(name)) for number, name in rows)
