"""What the kernel tells of a TCP connection, on real sockets."""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from django_lifeline.core.liveness import Channel, SightKind, TcpFacts, read_sight, read_tcp_info

PATIENCE = 20.0
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells this.")


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's and a server's end of one TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    with client, server:
        yield client, server


@pytest.fixture
def channel(ends: tuple[socket.socket, socket.socket]) -> Iterator[Channel]:
    made = Channel(ends[0].fileno(), tls=False)
    yield made
    made.close()


def wait_readable(channel: Channel) -> None:
    """Return once something waits to be read."""
    assert channel.poll(20_000)


def known(channel: Channel) -> TcpFacts:
    facts = channel.tcp_facts()
    assert facts is not None
    return facts


def test_open_connection_was_ended_by_nobody(ends: Any, channel: Channel) -> None:
    ends[0].sendall(b"question")
    ends[1].sendall(b"answer")
    wait_readable(channel)
    facts = known(channel)
    assert (facts.state, facts.ended_here) == ("ESTABLISHED", False)
    assert 0 <= facts.last_sent < 20 and 0 <= facts.last_received < 20
    assert (facts.unsent, facts.retransmits) == (0, 0)


def test_other_sides_end_is_not_ours(ends: Any, channel: Channel) -> None:
    ends[1].close()
    wait_readable(channel)
    sight = channel.look()
    assert sight.kind is SightKind.CLOSED
    assert sight.tcp is not None
    assert (sight.tcp.state, sight.tcp.ended_here, sight.errno) == ("CLOSE_WAIT", False, 0)


def test_reset_leaves_its_error_for_the_first_look(ends: Any, channel: Channel) -> None:
    ends[0].sendall(b"never read")
    ends[1].close()
    wait_readable(channel)
    sight = channel.look()
    assert sight.tcp is not None
    assert (sight.tcp.state, sight.tcp.ended_here, sight.errno) == ("CLOSE", False, 104)


def test_end_that_this_side_began_is_seen_even_after_a_reset(ends: Any, channel: Channel) -> None:
    channel.shutdown()
    deadline = time.monotonic() + PATIENCE
    while not known(channel).ended_here:  # the other host confirms it within 40 ms
        assert time.monotonic() < deadline
    ends[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ends[1].close()
    wait_readable(channel)
    assert known(channel).ended_here


def test_ports_are_told_and_unix_sockets_have_none(ends: Any, channel: Channel) -> None:
    assert channel.local_port() == ends[0].getsockname()[1]
    left, right = socket.socketpair()
    with left, right:
        other = Channel(left.fileno(), tls=False)
        assert (other.local_port(), other.tcp_facts()) == (None, None)
        other.close()


@pytest.mark.parametrize("info", [b"", b"\x01" * 20, b"\x63" + b"\0" * 230])
def test_what_is_too_short_or_strange_is_not_read(info: bytes) -> None:
    assert read_tcp_info(info) is None


def test_older_kernels_do_not_tell_who_ended_it() -> None:
    facts = read_tcp_info(b"\x08" + b"\0" * 159)
    assert facts is not None
    assert (facts.state, facts.ended_here) == ("CLOSE_WAIT", False)


def test_length_of_an_encrypted_record_is_read() -> None:
    sight = read_sight(b"\x17\x03\x03\x00\xa6ab", 1, tls=True)
    assert (sight.encrypted, sight.record) == (True, 0xA6)
