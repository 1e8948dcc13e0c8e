"""The proxy sees what clients send, and breaks the wire exactly where it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pytest

from lifeline_lab.servers import Server
from lifeline_lab.wire import WireProxy

Connect = Callable[..., Any]
# Which of the two depends on whether the driver was sending or receiving.
LOST = {2006, 2013}


@pytest.fixture
def connect(server: Server, proxy: WireProxy, database: str) -> Iterator[Connect]:
    """Makes raw driver connections through the proxy, and closes them afterwards."""
    made: list[Any] = []

    def make(**options: Any) -> Any:
        account = {"user": server.user, "password": server.password, "database": database}
        given = {**account, "autocommit": None, "ssl_disabled": True, **options}
        made.append(pymysql.connect(host=proxy.host, port=proxy.port, **given))
        return made[-1]

    yield make
    for connection in made:
        connection._force_close()


def rows(connection: Any, sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def lost(connection: Any, sql: str) -> int:
    """Run a statement that must not be answered; return the error's number."""
    with pytest.raises((pymysql.err.OperationalError, ConnectionError)) as error:
        rows(connection, sql)
    return int(error.value.args[0])


def hangs_up_by(connection: Any) -> str:
    """Wait for the other end to hang up; tell whether it was a RST or a FIN."""
    connection._sock.settimeout(10)
    try:
        return "fin" if connection._sock.recv(1) == b"" else "data"
    except ConnectionResetError:
        return "rst"


def count(server: Server, database: str) -> int:
    return int(server.query(f"SELECT COUNT(*) FROM {database}.t")[0][0])


@pytest.fixture
def table(server: Server, database: str) -> str:
    server.query(f"CREATE TABLE {database}.t (a INT)")
    return database


def test_commands_are_listed_without_the_login(connect: Connect, proxy: WireProxy) -> None:
    connection = connect()
    sent_by_driver = len(proxy.commands)
    rows(connection, "SELECT 1")
    connection.ping(reconnect=False)
    rows(connection, "SELECT 'ü'")
    assert [(name, text) for _, name, text in proxy.commands[sent_by_driver:]] == [
        ("COM_QUERY", "SELECT 1"),
        ("COM_PING", ""),
        ("COM_QUERY", "SELECT 'ü'"),
    ]
    # What PyMySQL itself sends first: its character set.
    assert [name for _, name, _ in proxy.commands[:sent_by_driver]] == ["COM_QUERY"]
    proxy.clear()
    assert proxy.commands == []


def test_commands_tell_their_connection(connect: Connect, proxy: WireProxy) -> None:
    one, two = connect(), connect()
    proxy.clear()
    rows(two, "SELECT 2")
    rows(one, "SELECT 1")
    assert [command.connection for command in proxy.commands] == [2, 1]
    assert proxy.connections == [1, 2]
    assert proxy.accepted == 2


def test_both_drivers_speak_plaintext_through_the_proxy(server: Server, proxy: WireProxy) -> None:
    MySQLdb = pytest.importorskip("MySQLdb")  # noqa: N806
    account = {"user": server.user, "password": server.password}
    connection = MySQLdb.connect(host=proxy.host, port=proxy.port, **account)
    connection.query("SELECT 'through mysqlclient'")
    connection.close()
    # The server offers TLS and PyMySQL would take it.
    with pymysql.connect(host=proxy.host, port=proxy.port, **account) as through:
        rows(through, "SELECT 'through PyMySQL'")
    assert proxy.wait_for("through mysqlclient").name == "COM_QUERY"
    assert proxy.wait_for("through PyMySQL").name == "COM_QUERY"


def test_large_statement_and_large_answer_pass_unchanged(
    connect: Connect, proxy: WireProxy
) -> None:
    text = "x" * 3_000_000
    assert rows(connect(), f"SELECT '{text}'") == ((text,),)


def test_tls_is_passed_on_where_it_is_wanted(shared_server: Callable[[str], Server]) -> None:
    # MariaDB has no certificate of its own and offers no TLS.
    server = shared_server("mysql")
    account = {"user": server.user, "password": server.password}
    with (
        WireProxy(server.host, server.port, tls=True) as proxy,
        pymysql.connect(host=proxy.host, port=proxy.port, **account) as connection,
    ):
        (status,) = rows(connection, "SHOW STATUS LIKE 'Ssl_cipher'")
        assert status[1]
        assert proxy.commands == []
        proxy.cut()
        assert lost(connection, "SELECT 1") in LOST


@pytest.mark.parametrize("action", ["rst", "fin"])
def test_cut_hangs_up_as_told(connect: Connect, proxy: WireProxy, action: Any) -> None:
    connection = connect()
    proxy.cut(action=action)
    assert hangs_up_by(connection) == action
    assert proxy.connections == []


def test_cut_can_spare_the_other_connections(connect: Connect, proxy: WireProxy) -> None:
    one, two = connect(), connect()
    proxy.cut(1)
    assert lost(one, "SELECT 1") in LOST
    assert rows(two, "SELECT 2") == ((2,),)


def test_cut_reaches_a_query_under_way(connect: Connect, proxy: WireProxy) -> None:
    connection = connect()
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(lost(connection, "SELECT SLEEP(20)")))
    thread.start()
    proxy.wait_for("SLEEP")
    proxy.cut()
    thread.join(10)
    assert codes[0] in LOST


@pytest.mark.parametrize("action", ["rst", "fin"])
def test_fault_before_a_command_keeps_it_from_the_server(
    connect: Connect, proxy: WireProxy, server: Server, table: str, action: Any
) -> None:
    connection = connect(autocommit=True)
    fault = proxy.on("^INSERT", "before", action)
    assert lost(connection, "INSERT INTO t VALUES (1)") in LOST
    assert fault.fired.is_set()
    assert proxy.commands[-1].text == "INSERT INTO t VALUES (1)"
    assert count(server, table) == 0


@pytest.mark.parametrize("after_bytes", [0, 3])
def test_fault_in_the_answer_leaves_the_command_done(
    connect: Connect, proxy: WireProxy, server: Server, table: str, after_bytes: int
) -> None:
    connection = connect(autocommit=True)
    proxy.on("insert", "mid_answer", after_bytes=after_bytes)
    connection._sock.settimeout(10)
    connection._execute_command(3, "INSERT INTO t VALUES (1)")
    got = b""
    with pytest.raises(ConnectionResetError):
        while chunk := connection._sock.recv(100):
            got += chunk
    assert len(got) in (0, after_bytes)
    assert count(server, table) == 1


def test_fault_after_sending_lets_the_server_finish(
    connect: Connect, proxy: WireProxy, server: Server, table: str
) -> None:
    connection = connect(autocommit=True)
    proxy.on("INSERT", "after_send", "fin")
    assert lost(connection, "INSERT INTO t SELECT SLEEP(0.2)") in LOST
    # The proxy hangs up at the server only when that has answered.
    for thread in [each for each in threading.enumerate() if each.name == "wire-1"]:
        thread.join(10)
    assert count(server, table) == 1


def test_fault_meets_the_nth_command_once(connect: Connect, proxy: WireProxy) -> None:
    fault = proxy.on("SELECT 1", nth=2)
    first = connect()
    assert rows(first, "SELECT 1") == ((1,),)
    assert not fault.fired.is_set()
    assert lost(first, "SELECT 1") in LOST
    second = connect()
    assert rows(second, "SELECT 1") == ((1,),)


def test_lasting_fault_meets_each_command(connect: Connect, proxy: WireProxy) -> None:
    proxy.on("COM_PING", once=False)
    for _ in range(2):
        connection = connect()
        rows(connection, "SELECT 'COM_PING'")
        with pytest.raises((pymysql.err.OperationalError, ConnectionError)):
            connection.ping(reconnect=False)


def test_blackhole_stays_open_and_silent_until_resumed(
    connect: Connect, proxy: WireProxy, server: Server
) -> None:
    connection = connect(read_timeout=1)
    proxy.blackhole()
    assert lost(connection, "SELECT 1") in LOST
    with socket.create_connection((proxy.host, proxy.port)) as newcomer:
        newcomer.settimeout(0.2)
        with pytest.raises(TimeoutError):
            newcomer.recv(1)
    proxy.resume()
    assert rows(connect(), "SELECT 1") == ((1,),)


def test_fault_can_swallow_a_command(connect: Connect, proxy: WireProxy) -> None:
    connection = connect(read_timeout=1)
    proxy.on("SELECT 1", "before", "blackhole")
    assert lost(connection, "SELECT 1") in LOST
    assert len(proxy.connections) == 1


def test_refusing_proxy_keeps_old_connections(connect: Connect, proxy: WireProxy) -> None:
    connection = connect()
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((proxy.host, proxy.port))
    assert rows(connection, "SELECT 1") == ((1,),)
    proxy.resume()
    assert rows(connect(), "SELECT 1") == ((1,),)


def test_held_traffic_arrives_after_the_release(connect: Connect, proxy: WireProxy) -> None:
    connection = connect()
    proxy.hold()
    proxy.clear()
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(rows(connection, "SELECT 1")))
    thread.start()
    with pytest.raises(TimeoutError, match="SELECT"):
        proxy.wait_for("SELECT", timeout=0.2)
    proxy.release()
    thread.join(10)
    assert answers == [((1,),)]


def test_held_hang_up_arrives_after_the_release(
    connect: Connect, proxy: WireProxy, server: Server
) -> None:
    connection = connect()
    session = connection.thread_id()
    proxy.hold()
    server.query("KILL %s", session)
    connection._sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        connection._sock.recv(1)
    proxy.release()
    assert hangs_up_by(connection) in {"fin", "rst", "data"}


def test_held_connection_can_be_cut(connect: Connect, proxy: WireProxy) -> None:
    connection = connect()
    proxy.hold()
    proxy.cut()
    assert hangs_up_by(connection) == "rst"


def test_client_that_hangs_up_ends_its_session(
    connect: Connect, proxy: WireProxy, server: Server
) -> None:
    connection = connect()
    (thread,) = [each for each in threading.enumerate() if each.name == "wire-1"]
    connection._force_close()
    thread.join(10)
    assert proxy.connections == []


def test_dead_server_resets_the_client(private_server: Callable[..., Server]) -> None:
    server = private_server()
    server.kill()
    with WireProxy(server.host, server.port) as proxy:
        client = socket.create_connection((proxy.host, proxy.port))
        client.settimeout(10)
        with client, pytest.raises(ConnectionResetError):
            client.recv(1)


def test_error_instead_of_a_greeting_is_passed_on(private_server: Callable[..., Server]) -> None:
    server = private_server(max_connections=10)
    account = {"user": server.user, "password": server.password, "ssl_disabled": True}
    with WireProxy(server.host, server.port) as proxy:
        made = []
        # MySQL lets one more in than it says.
        with pytest.raises(pymysql.err.OperationalError) as full:
            while len(made) < 20:
                made.append(pymysql.connect(host=proxy.host, port=proxy.port, **account))
        for connection in made:
            connection.close()
    assert full.value.args[0] == 1040


def test_closed_proxy_leaves_no_thread(connect: Connect, proxy: WireProxy) -> None:
    connect()
    proxy.hold()
    proxy.close()
    assert [each for each in threading.enumerate() if each.name.startswith("wire")] == []
