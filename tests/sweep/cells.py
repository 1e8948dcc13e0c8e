"""The cells of the sweep: which fault strikes which packet where; pure.

A cell has a name that says all of it, such as
``mariadb/pymysql/create/0.up1+half/rst``: connection 0 of the workload ``create``, the first packet
of the client, reset when half of it has passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from lifeline_lab.wire.protocol import HEADER

AWAY = "away"
"""The server's end closes all connections, and takes no new one until the work has ended."""
CUTS = ("fin", "rst", "silence", AWAY)
FATAL = {"1053", "1927", "4031", "1040"}
"""After these the server hangs up."""
REFUSALS = {"1205", "1213", "1290"}
"""After these the session lives, and the statement has done nothing."""
GARBAGE = ("sequence", "first", "scramble")
OPENING = {"greeting", "login", "authentication", "TLS request", "TLS handshake"}
_NAME = re.compile(
    r"(?P<connection>\d+)\.(?P<way>up|down)(?P<nth>\d+)\+(?P<place>\w+)/(?P<kind>\w+)"
)


class Packet(NamedTuple):
    """One packet that went by when the workload ran without a fault."""

    connection: int
    way: str
    nth: int
    phase: str
    """What the command was for."""
    part: str
    """Which part of command or answer it is."""
    size: int
    last: bool
    """Whether the other side's turn comes after it."""


@dataclass(frozen=True)
class Fault:
    """What is done to which packet."""

    connection: int
    way: str
    nth: int
    place: str
    kind: str

    @property
    def name(self) -> str:
        """Such as ``0.up1+half/rst``."""
        return f"{self.connection}.{self.way}{self.nth}+{self.place}/{self.kind}"

    def passes(self, size: int) -> int:
        """How many of the packet's bytes go by before the fault."""
        return dict(places(size)).get(self.place, 0)


@dataclass(frozen=True)
class Cell:
    """One run: a workload, a fault, and the packet that it strikes."""

    workload: str
    fault: Fault
    phase: str
    part: str

    @property
    def name(self) -> str:
        """Such as ``create/0.up1+half/rst``."""
        return f"{self.workload}/{self.fault.name}"

    @property
    def where(self) -> str:
        """The row of the coverage table: what the packet was for, and whose it was."""
        if self.phase in OPENING or self.phase in {"TLS data", "quit"}:
            return f"{self.phase} {'→' if self.fault.way == 'up' else '←'}"
        return f"{self.phase}: {self.part}"


def parse(name: str) -> tuple[str, Fault]:
    """The workload and the fault that a cell's name tells; server and driver may precede."""
    workload, point, kind = name.split("/")[-3:]
    found = _NAME.fullmatch(f"{point}/{kind}")
    if found is None:
        raise ValueError(f"{name!r} is no cell's name, such as create/0.up1+half/rst.")
    parts = found.groupdict()
    return workload, Fault(
        int(parts["connection"]), parts["way"], int(parts["nth"]), parts["place"], parts["kind"]
    )


def places(size: int) -> list[tuple[str, int]]:
    """Where a packet of this size is cut; each number of bytes once."""
    wanted = (
        ("before", 0),
        ("byte", 1),
        ("header", HEADER),
        ("half", (size + HEADER) // 2),
        ("last", size - 1),
        ("after", size),
    )
    found: dict[int, str] = {}
    for place, passed in wanted:
        found.setdefault(passed, place)
    return [(place, passed) for passed, place in found.items()]


def enumerate_cells(workload: str, packets: Iterable[Packet]) -> Iterator[Cell]:
    """Every cell of a workload whose packets, without a fault, are these."""
    for packet in packets:
        for place, kind in (*_cuts(packet), *_errors(packet), *_garbage(packet)):
            fault = Fault(packet.connection, packet.way, packet.nth, place, kind)
            yield Cell(workload, fault, packet.phase, packet.part)


def _cuts(packet: Packet) -> Iterator[tuple[str, str]]:
    for place, _ in places(packet.size):
        if place == "after" and not packet.last:
            # The same as before the next one.
            continue
        for kind in CUTS:
            if kind != AWAY or place in {"before", "after"}:
                yield place, kind
        if place in {"before", "half"}:
            yield place, "delay"


def _errors(packet: Packet) -> Iterator[tuple[str, str]]:
    if packet.phase.startswith("TLS"):
        return
    if packet.way == "down":
        for kind in _errors_in_place(packet):
            yield "instead", kind
    elif packet.part == "command" and packet.phase != "quit":
        # What a transaction ended in is decided by then, and no server refuses its last word.
        refusals = sorted(REFUSALS) if packet.phase != "autocommit on" else ()
        for kind in ("1053", "1927", "4031", *refusals):
            yield "instead", kind


def _errors_in_place(packet: Packet) -> tuple[str, ...]:
    """The errors that may stand where the server has carried the command out in part or whole."""
    if packet.phase in OPENING:
        return ("1040", "1053")
    if packet.part == "row":
        # What is refused so late has only read: else this proxy could not undo it.
        return ("1053", "1927", *(("1205", "1213") if packet.phase == "read" else ()))
    return ("1053", "1927") if packet.part in {"OK", "header", "end of rows"} else ()


def _garbage(packet: Packet) -> Iterator[tuple[str, str]]:
    for place in GARBAGE:
        yield place, "garbage"


def garbled(packet: bytes, place: str, header: int = HEADER) -> bytes:
    """The packet with something wrong in it, the same each time; its length stays."""
    if place == "sequence":
        # Of a TLS record it is the type.
        return packet[: header - 1] + bytes([(packet[header - 1] + 7) & 0xFF]) + packet[header:]
    if place == "first":
        return packet[:header] + b"\xff" + packet[header + 1 :]
    return packet[:header] + bytes(byte ^ 0xA5 for byte in packet[header:])
