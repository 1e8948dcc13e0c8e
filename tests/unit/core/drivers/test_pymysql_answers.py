"""What PyMySQL's connection makes of bytes that are no answer; a socket pair plays the server."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("pymysql")

import pymysql
from pymysql.constants import FIELD_TYPE

from django_lifeline.core.drivers.pymysql import Connection

GREETING = (
    b"\x0a10.11.0-MariaDB\0" + b"\x01\0\0\0" + b"12345678\0" + b"\xff\xf7\x2d\x02\0\xff\x81\x15"
    b"\0\0\0\0\0\0\0\0\0\0" + b"123456789012\0" + b"mysql_native_password\0"
)
OK = b"\0\0\0\x02\0\0\0"
END = b"\xfe\0\0\x02\0"
COLUMN = b"\x03def\0\0\0\x01x\0\x0c\x3f\0\x0b\0\0\0\x03\0\0\0\0\0"
ROW = b"\x011"

Connect = Callable[..., Connection]


def packet(sequence: int, payload: bytes) -> bytes:
    """One packet as it goes over the wire."""
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's and the server's end of a connection."""
    client, server = socket.socketpair()
    with client, server:
        yield client, server


@pytest.fixture
def connect(ends: tuple[socket.socket, socket.socket]) -> Iterator[Connect]:
    """``connect(greeting)``: connect to a server that says this, and lets everybody in."""
    client, server = ends
    opened = []

    def connect(
        greeting: bytes = packet(0, GREETING),
        login: bytes = packet(2, OK),
        user: str | None = "somebody",
    ) -> Connection:
        server.sendall(greeting + login + packet(1, OK))
        connection = Connection(user=user, autocommit=None, defer_connect=True)
        opened.append(connection)
        connection.connect(client)
        return connection

    yield connect
    for connection in opened:
        connection.discard()


@pytest.fixture
def answered(
    ends: tuple[socket.socket, socket.socket], connect: Connect
) -> Callable[..., Connection]:
    """``answered(*packets)``: a connection whose next statement is answered so."""

    def answered(*packets: bytes) -> Connection:
        connection = connect()
        ends[1].sendall(b"".join(packet(n, each) for n, each in enumerate(packets, 1)))
        ends[1].shutdown(socket.SHUT_WR)
        return connection

    return answered


def select(connection: Connection) -> Any:
    """Run a statement by the cursor that Django uses, and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT x")
        return cursor.fetchall()


def test_answer_that_is_one_is_read(answered: Callable[..., Connection]) -> None:
    connection = answered(b"\x01", COLUMN, END, ROW, END)

    assert select(connection) == ((1,),)
    assert not connection.busy


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param((b"\x01", b"\x03def"), id="IndexError"),
        pytest.param((b"\xff\x01",), id="struct.error"),
        pytest.param((b"\x01", b"\x20def"), id="AssertionError"),
        pytest.param((b"\x01", b"\xfb\xfb\xfb\xfb\xfb"), id="AttributeError"),
        pytest.param((b"\x01", COLUMN.replace(b"x", b"\xff")), id="UnicodeDecodeError"),
        pytest.param((b"\x01", COLUMN, ROW), id="no end of the columns"),
    ],
)
def test_answer_that_cannot_be_read_is_a_loss(
    answered: Callable[..., Connection], garbage: tuple[bytes, ...]
) -> None:
    connection = answered(*garbage)

    with pytest.raises(pymysql.OperationalError, match="Lost connection") as raised:
        select(connection)
    assert raised.value.args[0] == 2013
    assert connection.closed
    assert connection.broken


def test_packet_out_of_sequence_is_a_loss(
    connect: Connect, ends: tuple[socket.socket, socket.socket]
) -> None:
    connection = connect()
    ends[1].sendall(packet(7, OK))

    with pytest.raises(pymysql.OperationalError, match=r"got 7 expected 1") as raised:
        select(connection)
    assert raised.value.args[0] == 2013


def test_command_that_is_answered_with_something_else_is_a_loss(
    answered: Callable[..., Connection],
) -> None:
    connection = answered(b"\x01")

    with pytest.raises(pymysql.OperationalError) as raised:
        connection.autocommit(False)
    assert raised.value.args[0] == 2013


def test_what_the_greeting_was_is_not_told(connect: Connect) -> None:
    greeting = packet(0, GREETING.replace(b"10.11", b"shibboleth"))

    with pytest.raises(pymysql.OperationalError, match="Error in server handshake") as raised:
        connect(greeting)
    assert raised.value.args[0] == 2012
    assert "shibboleth" not in str(raised.value)


@pytest.mark.parametrize(
    "login",
    [
        pytest.param(
            packet(2, b"\x55"),
            id="nonsense",
            marks=pytest.mark.skipif(
                pymysql.VERSION[:2] < (1, 2), reason="PyMySQL 1.1 takes any packet for an OK"
            ),
        ),
        pytest.param(packet(5, OK), id="sequence"),
        pytest.param(packet(2, b"\xff\x01"), id="cut error"),
    ],
)
def test_login_that_is_answered_with_nonsense_has_a_number(connect: Connect, login: bytes) -> None:
    with pytest.raises(pymysql.OperationalError) as raised:
        connect(login=login)
    assert raised.value.args[0] == 2012


def test_error_of_a_converter_stays_itself(answered: Callable[..., Connection]) -> None:
    connection = answered(b"\x01", COLUMN, END, b"\x01x", END)

    def broken(value: object) -> object:
        raise AssertionError("of the application")

    connection.decoders = {**connection.decoders, FIELD_TYPE.LONG: broken}
    with pytest.raises(AssertionError, match="of the application"):
        select(connection)
    assert connection.broken


def test_missing_name_of_the_user_is_told_as_the_driver_does(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pymysql.connections.DEFAULT_USER", None)
    with pytest.raises(ValueError, match="Did not specify a username"):
        connect(user=None)
