"""``status``: who is connected to the server, and how near its limits are. It only reads.

What a pool holds is known only inside its process: see ``pools["default"].stats()``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from django_lifeline.diagnosis.doctor.command import add_database_arguments, chosen
from django_lifeline.diagnosis.saying import tell

HELP = "show a server's sessions by user, program and host, and its limits"

_SESSIONS = """
    SELECT p.USER, {program}, SUBSTRING_INDEX(p.HOST, ':', 1),
        COUNT(*), SUM(p.COMMAND = 'Sleep'), MAX(p.TIME)
    FROM information_schema.PROCESSLIST p {programs}
    WHERE p.COMMAND NOT IN ('Daemon', 'Binlog Dump')
    GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3
"""
# Few clients name their program; the library names itself then.
_WITH_PROGRAMS = _SESSIONS.format(
    program="COALESCE(a.program, a.library, 'unknown')",
    programs="""LEFT JOIN (
        SELECT PROCESSLIST_ID,
            MAX(IF(ATTR_NAME = 'program_name', ATTR_VALUE, NULL)) AS program,
            MAX(IF(ATTR_NAME = '_client_name', ATTR_VALUE, NULL)) AS library
        FROM performance_schema.session_connect_attrs GROUP BY PROCESSLIST_ID
    ) a ON a.PROCESSLIST_ID = p.ID""",
)
_WITHOUT_PROGRAMS = _SESSIONS.format(program="'unknown'", programs="")
_HEADS = ("user", "program", "host", "sessions", "idle", "longest")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what it takes."""
    add_database_arguments(parser)


def run(options: argparse.Namespace, out: TextIO) -> int:
    """Print a table and the limits for each database; 1 where a server does not answer."""
    from django_lifeline.diagnosis.doctor.connect import CannotConnect, connected

    failed = 0
    for patient in chosen(options):
        out.write(f"{patient.settings.where} at {patient.settings.address}\n")
        try:
            with connected(patient.wrapper) as (ask, _):
                out.write("".join(f"  {line}\n" for line in _told(ask)))
        except CannotConnect as error:
            failed = 1
            change = tell(error.why.change, str)
            out.write(f"  It does not answer. {error.why.text}\n  {change}\n")
    return failed


def _told(ask: Callable[[str], list[tuple[Any, ...]]]) -> Iterator[str]:
    from django_lifeline.diagnosis.doctor.server import read_server

    server = read_server(ask)
    limit = server.number("max_connections", everywhere=True)
    own = server.number("max_user_connections") or "no limit"
    yield f"{server.name}, up for {server.count('Uptime')} s"
    yield (
        f"connections: {server.count('Threads_connected')} of {limit}, at most "
        f"{server.count('Max_used_connections')} so far; {own} for {server.account}"
    )
    yield (
        f"limits: wait_timeout {server.number('wait_timeout')} s, "
        f"max_allowed_packet {server.number('max_allowed_packet')} bytes"
    )
    yield from _table([_HEADS, *(tuple(map(str, row)) for row in _sessions(ask))])
    if not server.rights & {"PROCESS", "ALL PRIVILEGES", "SUPER"}:
        yield "Only this account's own sessions are shown: seeing all needs the PROCESS privilege."


def _sessions(ask: Callable[[str], list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    try:
        return ask(_WITH_PROGRAMS)
    except Exception:
        # The programs' names are in performance_schema, which few accounts may read.
        return ask(_WITHOUT_PROGRAMS)


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, widths, strict=True)
        yield "  ".join(cell.ljust(width) for cell, width in cells).rstrip()
