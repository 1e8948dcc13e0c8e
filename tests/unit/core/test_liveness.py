"""A channel says what waits on a socket, sends nothing, and touches nobody else's descriptor."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from django_lifeline.core import liveness
from django_lifeline.core.liveness import Channel, Sight, SightKind, TcpOptions

Pair = tuple[socket.socket, socket.socket]

IDLE_TIMEOUT = b"\x23\x00\x00\x00\xff\xbf\x0f#HY000The client was disconnected"
TLS_RECORD = b"\x17\x03\x03\x00\xff" + b"x" * 30


@pytest.fixture
def tcp_pair() -> Iterator[Pair]:
    """Two connected TCP sockets, the client's first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    with client, server:
        yield client, server


@pytest.fixture
def unix_pair() -> Iterator[Pair]:
    """Two connected unix sockets."""
    client, server = socket.socketpair()
    with client, server:
        yield client, server


@pytest.fixture(params=["tcp_pair", "unix_pair"])
def pair(request: pytest.FixtureRequest) -> Pair:
    """Both kinds, one after the other."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def channel(pair: Pair) -> Iterator[Channel]:
    """A plaintext channel on the client's side."""
    made = Channel(pair[0].fileno(), tls=False)
    yield made
    made.close()


def reset(sock: socket.socket) -> None:
    """Close with a reset instead of an end of file."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def settle(sock: socket.socket) -> None:
    """Wait until something is there to be read; on loopback at once."""
    with socket.socket(fileno=os.dup(sock.fileno())) as watched:
        watched.settimeout(5)
        try:
            watched.recv(1, socket.MSG_PEEK)
        except OSError:
            return


def test_nothing_waiting_is_silent(channel: Channel) -> None:
    assert channel.silent() is True
    assert channel.look() == Sight(SightKind.SILENT)


@pytest.mark.parametrize("code", [4031, 1053, 1927])
def test_goodbye_packet_names_its_code(pair: Pair, channel: Channel, code: int) -> None:
    text = b"#08S01so long"
    body = b"\xff" + struct.pack("<H", code) + text
    pair[1].sendall(struct.pack("<I", len(body))[:3] + b"\0" + body)
    settle(pair[0])
    assert channel.silent() is False
    sight = channel.look()
    assert (sight.kind, sight.code) == (SightKind.GOODBYE, code)


def test_goodbye_that_a_router_counted_on_names_its_code(pair: Pair, channel: Channel) -> None:
    pair[1].sendall(IDLE_TIMEOUT[:3] + b"\x02" + IDLE_TIMEOUT[4:])
    settle(pair[0])
    sight = channel.look()
    assert (sight.kind, sight.code) == (SightKind.GOODBYE, 4031)


def test_error_in_the_middle_of_an_answer_is_no_goodbye(pair: Pair, channel: Channel) -> None:
    pair[1].sendall(b"\x09\x00\x00\x03\xff" + struct.pack("<H", 1317) + b"#70100")
    settle(pair[0])
    assert channel.look().kind is SightKind.DATA


def test_goodbye_is_named_also_when_the_end_follows(pair: Pair, channel: Channel) -> None:
    pair[1].sendall(IDLE_TIMEOUT)
    pair[1].close()
    settle(pair[0])
    assert channel.look().code == 4031


def test_end_of_file_is_closed(pair: Pair, channel: Channel) -> None:
    pair[1].close()
    settle(pair[0])
    assert not channel.silent()
    assert channel.look().kind is SightKind.CLOSED


def test_reset_is_closed(tcp_pair: Pair) -> None:
    channel = Channel(tcp_pair[0].fileno(), tls=False)
    reset(tcp_pair[1])
    settle(tcp_pair[0])
    assert not channel.silent()
    assert channel.look().kind is SightKind.CLOSED


def test_answer_out_of_step_is_data(pair: Pair, channel: Channel) -> None:
    pair[1].sendall(b"\x07\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00")
    settle(pair[0])
    assert channel.look().kind is SightKind.DATA


def test_error_answer_to_a_command_is_no_goodbye(pair: Pair, channel: Channel) -> None:
    pair[1].sendall(IDLE_TIMEOUT[:3] + b"\x01" + IDLE_TIMEOUT[4:])
    settle(pair[0])
    assert channel.look().kind is SightKind.DATA


def test_looking_consumes_nothing(pair: Pair, channel: Channel) -> None:
    pair[1].sendall(IDLE_TIMEOUT)
    settle(pair[0])
    first, second = channel.look(), channel.look()
    # The kernel's times go on meanwhile.
    assert replace(first, tcp=None) == replace(second, tcp=None)
    assert pair[0].recv(1000) == IDLE_TIMEOUT


def test_tls_record_is_data_that_only_the_driver_can_read(pair: Pair) -> None:
    channel = Channel(pair[0].fileno(), tls=True)
    pair[1].sendall(TLS_RECORD)
    settle(pair[0])
    sight = channel.look()
    assert (sight.kind, sight.encrypted, sight.code) == (SightKind.DATA, True, None)


def test_end_behind_a_tls_record_is_closed(pair: Pair) -> None:
    channel = Channel(pair[0].fileno(), tls=True)
    pair[1].sendall(TLS_RECORD)
    pair[1].close()
    settle(pair[0])
    assert channel.look().kind is SightKind.CLOSED


def test_bytes_like_a_tls_record_on_a_plaintext_connection_are_out_of_step(
    pair: Pair, channel: Channel
) -> None:
    pair[1].sendall(TLS_RECORD)
    settle(pair[0])
    assert channel.look().encrypted is False


def test_channel_without_poll_uses_select(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("select.poll")
    channel = Channel(pair[0].fileno(), tls=False)
    assert channel.silent()
    pair[1].close()
    settle(pair[0])
    assert channel.look().kind is SightKind.CLOSED


def test_number_taken_over_by_another_file_is_not_looked_at(pair: Pair, channel: Channel) -> None:
    number = pair[0].fileno()
    foreign, other = socket.socketpair()
    with foreign, other:
        os.dup2(foreign.fileno(), number)
        other.sendall(b"for somebody else")
        settle(foreign)
        assert channel.silent()
        channel.park()
        assert os.path.sameopenfile(number, foreign.fileno())


def test_descriptors_are_not_passed_to_executed_programs(pair: Pair) -> None:
    os.set_inheritable(pair[0].fileno(), True)
    channel = Channel(pair[0].fileno())
    assert not os.get_inheritable(pair[0].fileno())
    assert not os.get_inheritable(channel.fd)


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("default", [None, 3.0])
def test_blocking_flag_stays_the_drivers(
    pair: Pair, blocking: bool, default: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.set_blocking(pair[0].fileno(), blocking)
    socket.setdefaulttimeout(default)
    try:
        channel = Channel(pair[0].fileno())
        with pytest.raises(BlockingIOError):
            channel.peek(1)
    finally:
        socket.setdefaulttimeout(None)
    assert os.get_blocking(pair[0].fileno()) is blocking


def test_shutdown_wakes_a_thread_that_waits_for_the_server(pair: Pair, channel: Channel) -> None:
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pair[0].recv(1)))
    reader.start()
    channel.shutdown()
    reader.join(5)
    assert received == [b""]


def test_closed_channel_is_never_silent(channel: Channel) -> None:
    channel.close()
    channel.close()
    assert not channel.silent()
    assert channel.look().kind is SightKind.CLOSED
    channel.shutdown()
    assert channel.unsent_bytes() is None
    assert channel.tcp_state() is None


def test_closed_channel_is_not_silent_where_its_number_is_another_files(
    pair: Pair, channel: Channel
) -> None:
    number = channel.fd
    there, here = os.pipe()
    channel.close()
    os.dup2(there, number)
    try:
        assert not channel.silent()
    finally:
        for descriptor in (there, here, number):
            os.close(descriptor)


def test_dropped_channel_closes_its_descriptor(pair: Pair) -> None:
    channel = Channel(pair[0].fileno())
    fd = channel.fd
    del channel
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_open_connection_does_not_say_what_is_unsent(tcp_pair: Pair) -> None:
    client, _ = tcp_pair
    channel = Channel(client.fileno())
    clog(client)
    assert channel.tcp_state() == "ESTABLISHED"
    assert channel.unsent_bytes() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="TCP_INFO is Linux's.")
def test_reset_connection_tells_what_never_left(tcp_pair: Pair) -> None:
    client, server = tcp_pair
    channel = Channel(client.fileno())
    clog(client)
    reset(server)
    settle(client)
    assert channel.tcp_state() == "CLOSE"
    assert (channel.unsent_bytes() or 0) > 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="TCP_INFO is Linux's.")
def test_reset_connection_with_everything_sent_has_nothing_unsent(tcp_pair: Pair) -> None:
    client, server = tcp_pair
    channel = Channel(client.fileno())
    client.sendall(b"a short statement")
    settle(server)
    reset(server)
    settle(client)
    assert channel.unsent_bytes() == 0


def test_aborted_connection_does_not_send_what_was_queued(tcp_pair: Pair) -> None:
    client, server = tcp_pair
    channel = Channel(client.fileno())
    clog(client)
    channel.abort()
    client.close()
    channel.close()
    with pytest.raises(ConnectionResetError):
        while server.recv(65536):
            pass


def test_unix_socket_has_no_tcp_facts(unix_pair: Pair) -> None:
    channel = Channel(unix_pair[0].fileno())
    channel.set_tcp(TcpOptions(keepalive=10, user_timeout=5))
    assert channel.unsent_bytes() is None
    assert channel.tcp_state() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="The options are Linux's.")
def test_tcp_options_reach_the_drivers_socket(tcp_pair: Pair) -> None:
    client = tcp_pair[0]
    channel = Channel(client.fileno())
    channel.set_tcp(TcpOptions(keepalive=60, user_timeout=2.5))
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 10
    assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2500


def test_tcp_options_left_out_stay_the_systems(tcp_pair: Pair) -> None:
    client = tcp_pair[0]
    Channel(client.fileno()).set_tcp(TcpOptions())
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


def test_platform_without_an_option_goes_without(
    tcp_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TCP_KEEPIDLE", "TCP_USER_TIMEOUT", "TCP_INFO"):
        monkeypatch.delattr(f"_socket.{name}", raising=False)
    channel = Channel(tcp_pair[0].fileno())
    channel.set_tcp(TcpOptions(keepalive=60, user_timeout=2.5))
    assert channel.tcp_state() is None
    assert tcp_pair[0].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


def test_shutdown_in_a_forked_child_leaves_the_parents_connection_alone(pair: Pair) -> None:
    channel = Channel(pair[0].fileno())
    in_child(channel.abort)
    pair[0].sendall(b"still here")
    assert pair[1].recv(100) == b"still here"
    assert channel.silent()


def test_parked_child_writes_into_the_void(pair: Pair) -> None:
    channel = Channel(pair[0].fileno())

    def child() -> None:
        channel.park()
        assert not channel.silent()
        os.write(pair[0].fileno(), b"COM_QUIT")
        os.write(channel.fd, b"COM_QUIT")

    in_child(child)
    assert channel.silent()
    pair[0].sendall(b"parent")
    assert pair[1].recv(100) == b"parent"


def test_parking_again_leaves_a_number_alone_that_was_given_back(pair: Pair) -> None:
    channel = Channel(os.dup(pair[0].fileno()))

    def child() -> None:
        channel.park()
        # Somebody opens a file to read, which gets the number that is free by now.
        foreign = os.open(os.devnull, os.O_RDONLY)
        os.dup2(foreign, channel.driver_fd)
        channel.park()
        assert fcntl.fcntl(channel.driver_fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY

    in_child(child)
    os.close(channel.driver_fd)


def test_channel_under_gevent_uses_the_original_poll() -> None:
    program = """
        from gevent import monkey; monkey.patch_all()
        import select, socket
        from django_lifeline.core.liveness import Channel, original
        ours, other = socket.socketpair()
        channel = Channel(ours.fileno())
        assert channel.silent()
        assert original(select, "poll") is not select.poll
        assert type(channel.poll.__self__).__module__ == "select"
        """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(program)], check=True)


def test_missing_attribute_of_a_module_is_none() -> None:
    assert liveness.original(liveness.select, "no_such_name") is None


def clog(sock: socket.socket) -> None:
    """Fill the socket's buffers until nothing more is taken."""
    sock.setblocking(False)
    try:
        while True:
            sock.send(b"x" * 65536)
    except BlockingIOError:
        sock.setblocking(True)


def in_child(act: object) -> None:
    """Run in a forked child; fail when it failed there."""
    pid = os.fork()
    if pid == 0:
        try:
            act()  # type: ignore[operator]
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
