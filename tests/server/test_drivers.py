"""The drivers on real servers that end connections, freeze, and answer late."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.drivers import (
    TRANSPORTS,
    eventually,
    freeze,
    make_certificate,
    module,
    opener,
    params,
    sessions,
)
from tests.fixtures.servers import DRIVERS, started

from django_lifeline.core.liveness import Sight, SightKind, TcpOptions
from lifeline_lab.servers import Server
from lifeline_lab.wire import WireProxy

Start = Callable[..., Server]

DATA_SEGMENTS_OUT = struct.Struct("=I"), 156
"""Where struct tcp_info counts the segments with data that were sent."""


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The variables that let a server speak TLS."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Ends what a test opened."""
    with ExitStack() as stack:
        yield stack


def one_of_each(server: Server, stack: ExitStack) -> dict[str, Any]:
    """A connection of each driver by each transport."""
    found = {}
    for driver in DRIVERS:
        open_one = opener(server, driver, stack)
        for transport in reversed(TRANSPORTS):
            found[f"{driver} {transport}"] = open_one(transport)
    return found


# The ends of idle connections.


def kill_sessions(server: Server, connections: list[Any]) -> None:
    for connection in connections:
        server.query(f"KILL {connection.server_thread_id}")


def let_time_out(server: Server, connections: list[Any]) -> None:
    for connection in connections:
        connection.run("SET SESSION wait_timeout = 1")


def stop(server: Server, connections: list[Any]) -> None:
    server.stop()


def kill_server(server: Server, connections: list[Any]) -> None:
    server.kill()


@pytest.mark.parametrize("end", [kill_sessions, let_time_out, stop, kill_server])
def test_ended_connection_is_seen_dead_with_nothing_sent(
    private_server: Start,
    certificate: dict[str, object],
    stack: ExitStack,
    end: Callable[[Server, list[Any]], None],
) -> None:
    server = private_server(**certificate)
    connections = one_of_each(server, stack)
    assert [name for name, it in connections.items() if not it.alive()] == []
    end(server, list(connections.values()))
    for name, connection in connections.items():
        eventually(lambda it=connection: it.channel.look().kind in ENDED)
        before = segments_sent(connection.channel.fd)
        assert connection.alive() is False, name
        assert segments_sent(connection.channel.fd) == before, name
        assert connection.last_sight.kind in ENDED, name
        connection.close()


ENDED = {SightKind.GOODBYE, SightKind.CLOSED}


@pytest.mark.parametrize("flavour", ["mysql"])
@pytest.mark.parametrize("transport", ["plain", "unix"])
def test_mysqls_idle_timeout_is_named(
    server: Server, driver: str, transport: str, stack: ExitStack
) -> None:
    open_one = opener(server, driver, stack)
    open_one("unix")
    connection = open_one(transport)
    connection.run("SET SESSION wait_timeout = 1")
    eventually(lambda: not connection.alive())
    assert connection.last_sight.kind is SightKind.GOODBYE
    assert connection.last_sight.code == 4031


def segments_sent(fd: int) -> int:
    """How many segments with data the kernel has sent; 0 on a unix socket."""
    layout, offset = DATA_SEGMENTS_OUT
    with socket.socket(fileno=os.dup(fd)) as sock:
        if sock.family == socket.AF_UNIX:
            return 0
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
    return int(layout.unpack_from(info, offset)[0])


def test_statement_counts_as_sent(server: Server, driver: str, stack: ExitStack) -> None:
    """So that the count above means something."""
    open_one = opener(server, driver, stack)
    open_one("unix")
    connection = open_one("plain")
    before = segments_sent(connection.channel.fd)
    connection.run("SELECT 1")
    assert segments_sent(connection.channel.fd) == before + 1


# A late TLS record.


class Readable:
    """A channel on which a TLS record waits, as a late session ticket would."""

    def poll(self, timeout: int) -> list[tuple[int, int]]:
        return [(0, 1)]

    def silent(self) -> bool:
        return False

    def look(self) -> Sight:
        return Sight(SightKind.DATA, encrypted=True)


@pytest.fixture
def frozen_server(tls_server: Server) -> Iterator[tuple[Server, Callable[[], None]]]:
    """A server that speaks TLS, and how to freeze it."""
    yield tls_server, lambda: freeze(tls_server)
    tls_server.resume()


def test_unreadable_record_is_decided_by_a_bounded_ping(
    frozen_server: tuple[Server, Callable[[], None]], driver: str, stack: ExitStack
) -> None:
    server, freeze = frozen_server
    connection = opener(server, driver, stack)("tls")
    assert connection.channel.tls
    channel = connection.channel
    connection.ping_timeout = 0.3
    assert with_readable(connection) is True
    freeze()
    assert with_readable(connection) is False
    connection.channel = channel


def with_readable(connection: Any) -> bool:
    """What `alive` says when a record waits, with the real channel restored for the ping."""
    real, stub = connection.channel, Readable()
    stub.shutdown = real.shutdown  # type: ignore[attr-defined]
    pings: list[float] = []

    def ping_within(seconds: float) -> bool:
        pings.append(seconds)
        connection.channel = real
        return bool(type(connection).ping_within(connection, seconds))

    connection.channel, connection.ping_within = stub, ping_within
    try:
        return bool(connection.alive())
    finally:
        assert pings == [connection.ping_timeout]
        connection.channel = real


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_ping_to_a_frozen_server_ends_in_time(
    frozen_server: tuple[Server, Callable[[], None]], driver: str, transport: str, stack: ExitStack
) -> None:
    server, freeze = frozen_server
    open_one = opener(server, driver, stack)
    open_one("unix")
    connection = open_one(transport)
    freeze()
    assert connection.alive(), "Nothing to be seen without asking"
    started = time.monotonic()
    assert connection.ping_within(0.2) is False
    connection.close()
    assert connection.closed
    assert time.monotonic() - started < 5


# Connecting.


def test_connecting_takes_one_command(
    server: Server, driver: str, proxy: WireProxy, stack: ExitStack
) -> None:
    opener(server, driver, stack)("unix")
    connection = opener(server, driver, stack)(
        "plain",
        host=proxy.host,
        port=proxy.port,
        database="information_schema",
        opening_sets="@@session.sql_auto_is_null = 0",
    )
    assert [command.text for command in proxy.commands] == [
        "SET NAMES utf8mb4, @@session.sql_auto_is_null = 0"
    ]
    proxy.clear()
    connection.close()
    assert proxy.wait_for("COM_QUIT").name == "COM_QUIT"


def test_discarding_says_nothing(
    server: Server, driver: str, proxy: WireProxy, stack: ExitStack
) -> None:
    opener(server, driver, stack)("unix")
    connection = opener(server, driver, stack)("plain", host=proxy.host, port=proxy.port)
    proxy.clear()
    connection.discard()
    eventually(lambda: connection.server_thread_id not in sessions(server))
    assert proxy.commands == []


def test_statement_over_the_limit_reaches_no_wire(
    server: Server, driver: str, proxy: WireProxy, stack: ExitStack
) -> None:
    opener(server, driver, stack)("unix")
    connection = opener(server, driver, stack)("plain", host=proxy.host, port=proxy.port)
    connection.max_packet = 100
    proxy.clear()
    with pytest.raises(Exception, match="max_allowed_packet"):
        connection.run("SELECT '" + "x" * 100 + "'")
    assert proxy.commands == []


def test_deaf_socket_is_given_up(driver: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        started = time.monotonic()
        with pytest.raises(Exception) as refused:
            module(driver).connect({"host": host, "port": port, "user": "u", "connect_timeout": 1})
        assert refused.value.args[0] in (2002, 2003, 2013)
        assert time.monotonic() - started < 8


def test_read_timeout_is_the_users_once_connected(
    server: Server, driver: str, stack: ExitStack
) -> None:
    connection = opener(server, driver, stack)("unix", connect_timeout=1)
    assert connection.run("SELECT SLEEP(1.2)") == [(0,)]


def test_tcp_options_are_set(server: Server, driver: str, stack: ExitStack) -> None:
    open_one = opener(server, driver, stack, TcpOptions(keepalive=60, user_timeout=3))
    open_one("unix")
    connection = open_one("plain")
    with socket.socket(fileno=os.dup(connection.fd)) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 3000


def test_tls_context_is_built_once_for_the_same_options(
    tls_server: Server, certificate: dict[str, object], stack: ExitStack, tmp_path: Path
) -> None:
    open_one = opener(tls_server, "pymysql", stack)
    authority = tmp_path / "ca.pem"
    authority.write_text(Path(str(certificate["ssl_cert"])).read_text())
    options = {"ssl": {"ca": str(authority), "check_hostname": False, "verify_mode": False}}
    first = open_one("tls", **options)
    assert open_one("tls", **options).ctx is first.ctx
    assert open_one("tls").ctx is not first.ctx
    os.utime(authority, (1, 1))
    assert open_one("tls", **options).ctx is not first.ctx, "A renewed file is read again"


# Forked children.

FORK = """
    import gc, importlib, json, os, sys
    from django_lifeline.core.drivers import driver_for

    def end(connection, how):
        if how == "exit":
            return connection.run
        if how.startswith("park"):
            connection.park()
        how = how.removeprefix("park, ")
        if how == "close":
            connection.close()
        elif how == "discard":
            connection.discard()
        elif how == "query":
            try:
                connection.run("SELECT 'child'")
            except Exception:
                pass

    lost = []
    kept = []
    for driver, how, params in json.loads(sys.argv[1]):
        database = importlib.import_module("pymysql" if driver == "pymysql" else "MySQLdb")
        module = driver_for(database)
        connection = module.connect(params)
        connection.run("SET @mine = 7")
        pid = os.fork()
        if pid == 0:
            end(connection, how)
            del connection
            gc.collect()
            if how == "exit":
                sys.exit(0)
            os._exit(0)
        os.waitpid(pid, 0)
        try:
            assert connection.alive()
            assert connection.run("SELECT @mine") == [(7,)]
        except Exception as error:
            lost.append([driver, how, "ssl" in str(params), repr(error)])
        connection.close()
    print(json.dumps(lost))
    """


def test_forked_child_never_disturbs_its_parents_connection(
    tls_server: Server,
) -> None:
    ends = ["close", "discard", "drop", "exit", "park, close", "park, discard", "park, query"]
    cases = [
        (driver, how, params(tls_server, driver, transport))
        for driver in DRIVERS
        for transport in TRANSPORTS
        for how in ends
    ]
    assert run_program(FORK, cases) == []


# gevent.

GEVENT = """
    from gevent import monkey; monkey.patch_all()
    import gevent, json, os, pathlib, signal, socket, sys, time
    from django_lifeline.core.drivers import mysqlclient, mysqldb
    from django_lifeline.core.drivers.cooperative import CooperativeConnection
    given = json.loads(sys.argv[1])
    params = given["params"]

    def freeze(pid):
        os.kill(pid, signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{pid}/task")
        while not all(" T " in (it / "stat").read_text() for it in tasks.iterdir()):
            gevent.sleep(0.001)

    def thaw_after(ticker, ticks):
        while ticker.count < ticks:
            gevent.sleep(0.001)
        os.kill(given["pid"], signal.SIGCONT)

    class Ticker:
        def __enter__(self):
            self.count = 0
            self.greenlet = gevent.spawn(self.tick)
            gevent.sleep(0)
            return self
        def tick(self):
            while True:
                gevent.sleep(0.005)
                self.count += 1
        def __exit__(self, *details):
            self.greenlet.kill()

    def each(act, connections):
        started = time.monotonic()
        gevent.joinall([gevent.spawn(act, it) for it in connections], raise_error=True)
        return time.monotonic() - started

    def query(connection):
        cursor = connection.cursor()
        cursor.execute("SELECT SLEEP(0.1), CONNECTION_ID()")
        assert cursor.fetchall() == ((0, connection.server_thread_id),)
        cursor.close()
        assert not connection.busy

    out = {}
    """


def gevent_program(source: str, server: Server, transport: str = "plain", **more: Any) -> Any:
    """Run a program under gevent; what it left in ``out``."""
    given = {"params": params(server, "mysqlclient", transport), **more}
    whole = textwrap.dedent(GEVENT) + textwrap.dedent(source) + "\nprint(json.dumps(out))\n"
    return run_program(whole, given)


def run_program(source: str, argument: object) -> Any:
    """Run Python in a process of its own; its last line of output, parsed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source), json.dumps(argument)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def tls_servers(certificate: dict[str, object]) -> Iterator[Callable[[str], Server]]:
    """``tls_servers("mysql")``: a server of that flavour that speaks TLS, for the whole run."""
    servers: dict[str, Server] = {}
    with ExitStack() as stack:

        def get(flavour: str) -> Server:
            if flavour not in servers:
                servers[flavour] = stack.enter_context(started(flavour, **certificate))
            return servers[flavour]

        yield get


@pytest.fixture
def tls_server(tls_servers: Callable[[str], Server], flavour: str, stack: ExitStack) -> Server:
    """A server that speaks TLS and has seen its user log in. Do not break it."""
    server = tls_servers(flavour)
    opener(server, "mysqlclient", stack)("unix")
    return server


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_greenlets_query_at_the_same_time_and_the_hub_runs_on(
    tls_server: Server, transport: str
) -> None:
    out = gevent_program(
        """
        connections = [mysqldb.connect(params) for _ in range(20)]
        assert all(type(it) is CooperativeConnection for it in connections)
        with Ticker() as ticker:
            out["seconds"] = each(query, connections)
        out["ticks"] = ticker.count
        plain = [mysqlclient.Connection(**params) for _ in range(5)]
        with Ticker() as ticker:
            out["plain_seconds"] = each(query, plain)
        out["plain_ticks"] = ticker.count
        """,
        tls_server,
        transport,
    )
    assert out["seconds"] < 2.0, "what 20 times 0.1 s take, one after the other"
    assert out["ticks"] >= 8
    assert out["plain_seconds"] >= 0.5
    assert out["plain_ticks"] <= 7, "so that the count above means something"


@pytest.mark.parametrize("transport", ["plain", "tls"])
def test_whatever_waits_lets_the_hub_run_on(tls_server: Server, transport: str) -> None:
    """Each waits half a second at the server, time for a hundred ticks; a stalled hub has one."""
    out = gevent_program(
        """
        from MySQLdb.cursors import SSCursor
        c = mysqldb.connect(params)
        def stream():
            cursor = c.cursor(SSCursor)
            cursor.execute(SLOW_ROWS)
            assert len(cursor.fetchall()) == 6
            cursor.close()
        SLOW_ROWS = "SELECT REPEAT('x', 20000), SLEEP(0.1) FROM " + \\
            "(SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) a, (SELECT 1 UNION ALL SELECT 2) b"
        waits = {
            "query": lambda: c.run("DO SLEEP(0.5)"),
            "several results": lambda: c.run("SELECT 1; SELECT SLEEP(0.5); SELECT 2"),
            "last of several": lambda: c.run("SELECT 1; DO SLEEP(0.5)"),
            "slow rows": lambda: c.run(SLOW_ROWS),
            "streamed rows": stream,
        }
        for name, wait in waits.items():
            with Ticker() as ticker:
                wait()
            out[name] = ticker.count
            assert not c.busy, name
            assert c.run("SELECT 'right'") == [("right",)]
        """,
        tls_server,
        transport,
    )
    assert len(out) == 5
    assert min(out.values()) >= 10, out


@pytest.mark.parametrize("transport", ["plain", "tls"])
def test_commands_let_the_hub_run_on_while_the_server_is_frozen(
    frozen_server: tuple[Server, Callable[[], None]], transport: str
) -> None:
    server, _ = frozen_server
    out = gevent_program(
        """
        c = mysqldb.connect(params)
        c.autocommit(False)
        # A hub that stands still would never thaw the server that it waits for.
        for command in ("commit()", "rollback()", "autocommit(True)", "ping()"):
            freeze(given["pid"])
            with Ticker() as ticker:
                gevent.spawn(thaw_after, ticker, 20)
                eval("c." + command)
            out[command] = ticker.count
            assert not c.busy and c.run("SELECT 1") == [(1,)]
        """,
        server,
        transport,
        pid=server.pid,
    )
    assert len(out) == 4
    assert min(out.values()) >= 20, out


def test_commands_do_under_gevent_what_they_do_without(tls_server: Server) -> None:
    out = gevent_program(
        """
        c = mysqldb.connect({**params, "database": "mysql", "opening_sets": "@mine = 3"})
        other = mysqldb.connect(params)
        c.autocommit(False)
        out["off"] = c.get_autocommit(), c.run("SELECT @@autocommit")[0][0]
        c.autocommit(True)
        out["on"] = c.get_autocommit(), c.run("SELECT @@autocommit")[0][0]
        c.select_db("information_schema")
        c.run("SET @mine = 4")
        out["reset"] = c.reset_session(), c.run("SELECT DATABASE(), @mine")
        out["large"] = len(c.run("SELECT REPEAT('x', 1000000)")[0][0])
        out["sent"] = c.run("SELECT LENGTH('" + "x" * 1000000 + "')")
        c.kill(other.server_thread_id)
        while other.alive():
            gevent.sleep(0.01)
        out["ping"] = c.ping_within(5), other.ping_within(5)
        try:
            c.run("SELEKT")
        except c.ProgrammingError as error:
            out["error"] = error.args[0], c.busy
        """,
        tls_server,
    )
    assert out == {
        "off": [False, 0],
        "on": [True, 1],
        "reset": [True, [["mysql", 3]]],
        "large": 1000000,
        "sent": [[1000000]],
        "ping": [True, False],
        "error": [1064, False],
    }


def test_connecting_to_a_deaf_socket_lets_the_hub_run_on(tls_server: Server) -> None:
    out = gevent_program(
        """
        listener = socket.create_server(("127.0.0.1", 0))
        host, port = listener.getsockname()
        with Ticker() as ticker:
            try:
                mysqldb.connect({"host": host, "port": port, "user": "u", "connect_timeout": 1})
            except Exception as error:
                out["code"] = error.args[0]
        out["ticks"] = ticker.count
        listener.close()
        """,
        tls_server,
    )
    assert out["code"] in (2002, 2003, 2013)
    assert out["ticks"] >= 10, "of two hundred; a stalled hub has one"


@pytest.mark.parametrize("transport", ["plain", "tls"])
def test_greenlet_stopped_while_it_waits_leaves_the_connection_busy(
    tls_server: Server, transport: str
) -> None:
    out = gevent_program(
        """
        statements = {
            "query": "SELECT SLEEP(20), 'mine'",
            "further result": "SELECT 1; SELECT SLEEP(20), 'mine'",
            "slow rows": "SELECT REPEAT('x', 20000), SLEEP(5) FROM "
                "(SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) a",
        }
        def stopped_in_time(statement):
            with gevent.Timeout(0.2, False):
                c.run(statement)
        for moment, statement in statements.items():
            for how, act in (("kill", lambda it: c.run(it)), ("timeout", stopped_in_time)):
                c = mysqldb.connect(params)
                started = time.monotonic()
                greenlet = gevent.spawn(act, statement)
                greenlet.join(0.2)
                greenlet.kill() if how == "kill" else greenlet.join()
                said = [c.busy]
                try:
                    c.run("SELECT 'other'")
                except c.Error as error:
                    said.append(error.args[0])
                c.discard()
                said.append(c.alive())
                while not c.closed:
                    gevent.sleep(0.01)
                out[f"{moment}, {how}"] = [*said, time.monotonic() - started < 4]
                del c
        """,
        tls_server,
        transport,
    )
    assert len(out) == 6
    assert all(said == [True, 2014, False, True] for said in out.values()), out


def test_read_timeout_under_gevent_loses_the_connection(tls_server: Server) -> None:
    out = gevent_program(
        """
        c = mysqldb.connect({**params, "read_timeout": 1})
        try:
            c.run("SELECT SLEEP(20)")
        except c.OperationalError as error:
            out["code"], out["busy"] = error.args[0], c.busy
        c.close()
        out["closed"] = bool(c.closed)
        """,
        tls_server,
    )
    assert out == {"code": 2013, "busy": True, "closed": True}


def test_discarding_what_another_greenlet_waits_for_wakes_it(tls_server: Server) -> None:
    out = gevent_program(
        """
        c = mysqldb.connect(params)
        def act():
            try:
                c.run("SELECT SLEEP(20)")
            except c.OperationalError as error:
                out["code"] = error.args[0]
        greenlet = gevent.spawn(act)
        gevent.sleep(0.1)
        c.discard()
        greenlet.join(5)
        out["ended"], out["closed"] = greenlet.dead, bool(c.closed)
        """,
        tls_server,
    )
    assert out["ended"] and out["closed"]
    assert out["code"] in (2006, 2013)


def test_ping_to_a_frozen_server_under_gevent_ends_in_time(
    frozen_server: tuple[Server, Callable[[], None]],
) -> None:
    server, _ = frozen_server
    out = gevent_program(
        """
        c = mysqldb.connect(params)
        freeze(given["pid"])
        with Ticker() as ticker:
            out["ping"] = c.ping_within(0.5)
        out["ticks"] = ticker.count
        c.close()
        out["closed"] = bool(c.closed)
        """,
        server,
        pid=server.pid,
    )
    assert out["ticks"] >= 5, "of a hundred; a stalled hub has one"
    assert (out["ping"], out["closed"]) == (False, True)


def test_threads_of_one_process_use_their_connections_at_once(
    server: Server, driver: str, stack: ExitStack
) -> None:
    """The library lets go of the interpreter while it waits: two meet at the barrier."""
    meeting = threading.Barrier(2, timeout=10)
    open_one = opener(server, driver, stack)

    def act(connection: Any) -> None:
        meeting.wait()
        connection.run("SELECT SLEEP(0.1)")
        meeting.wait()

    threads = [threading.Thread(target=act, args=(open_one("unix"),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not meeting.broken
