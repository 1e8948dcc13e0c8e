"""As much of the client/server protocol as is needed to see commands go by; pure functions."""

from __future__ import annotations

from typing import NamedTuple

HEADER = 4
OK = 0x00
SSL_REQUEST_LENGTH = 32

COMMANDS = {
    0x01: "COM_QUIT",
    0x02: "COM_INIT_DB",
    0x03: "COM_QUERY",
    0x04: "COM_FIELD_LIST",
    0x08: "COM_SHUTDOWN",
    0x09: "COM_STATISTICS",
    0x0C: "COM_PROCESS_KILL",
    0x0E: "COM_PING",
    0x11: "COM_CHANGE_USER",
    0x16: "COM_STMT_PREPARE",
    0x17: "COM_STMT_EXECUTE",
    0x18: "COM_STMT_SEND_LONG_DATA",
    0x19: "COM_STMT_CLOSE",
    0x1A: "COM_STMT_RESET",
    0x1B: "COM_SET_OPTION",
    0x1C: "COM_STMT_FETCH",
    0x1F: "COM_RESET_CONNECTION",
}
WITH_TEXT = {"COM_INIT_DB", "COM_QUERY", "COM_STMT_PREPARE"}

# What would make the traffic unreadable: compression, TLS, zstd, attributes before the text.
UNREADABLE = (1 << 5) | (1 << 11) | (1 << 26) | (1 << 27)


class Command(NamedTuple):
    """One command that a client sent after it had logged in."""

    connection: int
    """Which connection, counted from 1 in the order of their arrival."""
    name: str
    """Such as ``COM_QUERY`` or ``COM_PING``."""
    text: str
    """The statement, where the command has one."""


class Packets:
    """Cuts a stream of bytes into packets, header included."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes; return the packets that are complete now."""
        self._buffer += data
        complete = []
        while len(self._buffer) >= HEADER:
            end = HEADER + int.from_bytes(self._buffer[:3], "little")
            if len(self._buffer) < end:
                break
            complete.append(bytes(self._buffer[:end]))
            del self._buffer[:end]
        return complete

    def rest(self) -> bytes:
        """Return and forget the bytes of a packet that is not complete yet."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest


def command(connection: int, packet: bytes) -> Command | None:
    """The command that this packet begins; None for a later packet of the same exchange."""
    if packet[3] != 0 or len(packet) == HEADER:
        return None
    code = packet[HEADER]
    name = COMMANDS.get(code, f"COM_{code:#04x}")
    text = packet[HEADER + 1 :].decode(errors="replace") if name in WITH_TEXT else ""
    return Command(connection, name, text)


def ends_login(packet: bytes) -> bool:
    """Whether the server says with this packet that the client is logged in."""
    return len(packet) > HEADER and packet[HEADER] == OK


def asks_for_tls(packet: bytes) -> bool:
    """Whether the client goes on in TLS after this, its first packet."""
    return len(packet) == HEADER + SSL_REQUEST_LENGTH


def readable_greeting(packet: bytes) -> bytes:
    """The server's greeting, without offering anything that makes the traffic unreadable."""
    if packet[HEADER] != 10:
        # Not a greeting but an error, such as "too many connections".
        return packet
    greeting = bytearray(packet)
    # After the version text: thread id 4, scramble 8, filler 1; then the capabilities' low half,
    # and their high half after character set 1 and status 2.
    low = packet.index(0, HEADER + 1) + 1 + 13
    high = low + 5
    for place, hidden in ((low, UNREADABLE & 0xFFFF), (high, UNREADABLE >> 16)):
        offered = int.from_bytes(packet[place : place + 2], "little")
        greeting[place : place + 2] = (offered & ~hidden & 0xFFFF).to_bytes(2, "little")
    return bytes(greeting)
