"""Which packet of the protocol is what: pure state machines over packets, header included."""

from __future__ import annotations

import re

from lifeline_lab.wire.protocol import COMMANDS, HEADER, WITH_TEXT

OK, LOCAL_FILE, END, ERR = 0x00, 0xFB, 0xFE, 0xFF
DEPRECATE_EOF = 1 << 24
MORE_RESULTS = 0x0008
SHORT = HEADER + 9
TLS_HEADER = 5
TLS_DATA = 23

_PHASES = (
    (r"^\s*(START TRANSACTION|BEGIN\b|SET autocommit\s*=\s*0)", "BEGIN"),
    (r"(^|;)\s*COMMIT\b", "COMMIT"),
    (r"^\s*(ROLLBACK TO|RELEASE SAVEPOINT|SAVEPOINT)\b", "savepoint"),
    (r"(^|;)\s*ROLLBACK\b", "ROLLBACK"),
    (r"^\s*SET autocommit\s*=\s*1", "autocommit on"),
    (r"^\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP)\b", "write"),
    (r"^\s*(/\*M!|SET\b|SELECT\s+(VERSION\(\)|@@|CONNECTION_ID\(\)))", "session"),
    (r"^\s*SELECT\b", "read"),
)
_COMMAND_PHASES = {
    "COM_QUIT": "quit",
    "COM_PING": "ping",
    "COM_RESET_CONNECTION": "reset",
    "COM_CHANGE_USER": "reset",
    "COM_INIT_DB": "session",
}


def phase_of(name: str, text: str) -> str:
    """What a command is for, in the words of the report."""
    for pattern, phase in _PHASES:
        if text and re.search(pattern, text, re.IGNORECASE):
            return phase
    return _COMMAND_PHASES.get(name, "other")


def command_of(packet: bytes) -> tuple[str, str]:
    """The name and text of the command that this packet begins."""
    name = COMMANDS.get(packet[HEADER], f"COM_{packet[HEADER]:#04x}")
    text = packet[HEADER + 1 :].decode(errors="replace") if name in WITH_TEXT else ""
    return name, text


def error_packet(sequence: int, number: int) -> bytes:
    """What a server sends to refuse, or to say goodbye."""
    state = {1213: b"40001", 1927: b"70100", 1053: b"08S01"}.get(number, b"HY000")
    payload = b"\xff" + number.to_bytes(2, "little") + b"#" + state + b"An error of the sweep"
    return len(payload).to_bytes(3, "little") + bytes([sequence & 0xFF]) + payload


LOGINS = {"login", "COM_CHANGE_USER"}


class Answer:
    """Follows the server's answer to one command, packet by packet."""

    def __init__(self, name: str, *, deprecate_eof: bool) -> None:
        self.complete = name in {"COM_QUIT", "COM_STMT_CLOSE"}
        self.conversation = name in LOGINS
        """Whether the client has to say more before it is complete."""
        self.refused = False
        """Whether it ended in an error."""
        self._deprecate_eof = deprecate_eof
        self._expect = "login" if name in LOGINS else "first"
        self._columns = 0
        self._rows = 0

    def take(self, packet: bytes) -> str:
        """Say what this packet is, and take note of it."""
        kind = packet[HEADER] if len(packet) > HEADER else OK
        if kind == ERR:
            self.complete = self.refused = True
            return "error"
        return getattr(self, f"_{self._expect}")(packet, kind)

    def _login(self, packet: bytes, kind: int) -> str:
        # Else the server asks for more.
        self.complete = kind == OK
        return "OK" if self.complete else "authentication"

    def _first(self, packet: bytes, kind: int) -> str:
        if kind in (OK, END):
            self._end(_status_of_ok(packet) if kind == OK else _status_of_end(packet))
            return "OK"
        self._columns, self._rows, self._expect = packet[HEADER], 0, "column"
        return "header"

    def _column(self, packet: bytes, kind: int) -> str:
        self._columns -= 1
        if self._columns == 0:
            self._expect = "row" if self._deprecate_eof else "end_of_columns"
        return "column"

    def _end_of_columns(self, packet: bytes, kind: int) -> str:
        self._expect = "row"
        return "end of columns"

    def _row(self, packet: bytes, kind: int) -> str:
        if kind == END and (len(packet) < SHORT or self._deprecate_eof):
            self._end(_status_of_ok(packet) if self._deprecate_eof else _status_of_end(packet))
            return "end of rows"
        self._rows += 1
        return "row"

    def _end(self, status: int) -> None:
        self.complete = not status & MORE_RESULTS
        self._expect = "first"


def _status_of_end(packet: bytes) -> int:
    return int.from_bytes(packet[HEADER + 3 : HEADER + 5], "little")


def _status_of_ok(packet: bytes) -> int:
    place = HEADER + 1
    for _ in ("affected rows", "last insert id"):
        place += 1 + {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(packet[place], 0)
    return int.from_bytes(packet[place : place + 2], "little")


class Records:
    """Cuts a stream of TLS into records, header included."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes; return the records that are complete now."""
        self._buffer += data
        complete = []
        while len(self._buffer) >= TLS_HEADER:
            end = TLS_HEADER + int.from_bytes(self._buffer[3:5], "big")
            if len(self._buffer) < end:
                break
            complete.append(bytes(self._buffer[:end]))
            del self._buffer[:end]
        return complete
