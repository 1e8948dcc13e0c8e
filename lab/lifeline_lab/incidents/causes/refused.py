"""Connections that cannot be had, and work that is refused."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from lifeline_lab.incidents.bench import Bench
from lifeline_lab.incidents.kinds import DIRECT, SOCKET, TCP, WIRE, kind
from lifeline_lab.incidents.network import haproxy, silent_listener
from lifeline_lab.incidents.place import changed, stranger

FIRST = ("read", "write", "begin")
"""What is the first thing that a program does."""
HEADER, ERROR = 4, 0xFF
"""How long a packet's header is, and the first byte of an error."""
SOURCE = "127.0.0.9"
"""An address whose failures the server counts, as it does not those of its own host."""


def _first(bench: Bench) -> None:
    def enter() -> None:
        with bench.atomic():
            bench.write()

    work = {"read": bench.read, "write": bench.write, "begin": enter}
    bench.attempt(work[bench.setting.work])


@kind("too_many_connections", works=FIRST, disaster="full")
def server_full(bench: Bench) -> None:
    """Others have taken all of max_connections."""
    bench.use(lifeline={"full_server_timeout": bench.between(0.1, 0.6)})
    bench.strike()
    _first(bench)


@kind("user_limit", works=FIRST)
def account_has_all_its_connections(bench: Bench) -> None:
    """Others have taken all that the account's MAX_USER_CONNECTIONS allows."""
    most = bench.chance.choice((1, 2, 3))
    user = _account(bench, f"MAX_USER_CONNECTIONS {most}")
    bench.use(USER=user, lifeline={"full_server_timeout": bench.between(0.1, 0.6)})
    with ExitStack() as others:
        for _ in range(most):
            others.enter_context(stranger(bench.server, user))
        _first(bench)


@kind("user_limit", works=FIRST, disaster="full for each account")
def account_has_all_that_the_server_allows_each(bench: Bench) -> None:
    """Others have taken all that the server's max_user_connections allows any account (1203)."""
    bench.use(lifeline={"full_server_timeout": bench.between(0.1, 0.6)})
    bench.strike()
    _first(bench)
    bench.expect("1203")


@kind("user_limit", works=FIRST)
def account_connected_too_often(bench: Bench) -> None:
    """The account's MAX_CONNECTIONS_PER_HOUR are used up."""
    most = bench.chance.choice((1, 2, 3))
    user = _account(bench, f"MAX_CONNECTIONS_PER_HOUR {most}")
    bench.use(USER=user, lifeline={"full_server_timeout": bench.between(0.1, 0.6)})
    for _ in range(most):
        stranger(bench.server, user).close()
    _first(bench)


def _account(bench: Bench, limit: str) -> str:
    name = f"u{bench.setting.seed}"
    server = bench.server
    server.query(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{server.password}' WITH {limit}")
    server.query(f"GRANT ALL PRIVILEGES ON *.* TO '{name}'@'%'")
    return name


@kind("host_blocked", ways=(DIRECT,), works=FIRST, disaster="locked out")
def no_account_for_this_host(bench: Bench) -> None:
    """No account allows this host."""
    server = bench.server
    with haproxy(bench.folder(), server.host, server.port, source=SOURCE) as port:
        bench.use(PORT=port)
        bench.strike()
        _first(bench)


@kind("host_blocked", ways=(DIRECT,), works=FIRST, disaster="touchy")
def too_many_broken_handshakes(bench: Bench) -> None:
    """Something that only looks whether the port is open uses up max_connect_errors."""
    bench.strike()
    server = bench.server
    with changed(server, max_connect_errors=1):
        server.query("FLUSH HOSTS" if server.flavour == "mariadb" else _FORGET_HOSTS)
        with haproxy(bench.folder(), server.host, server.port, source=SOURCE) as port:
            bench.use(PORT=port)
            stranger(server, port=port).close()
            where = (server.host, server.port)
            bench.wait_until(lambda: _is_refused(where), "the server to refuse the host")
            _first(bench)


_FORGET_HOSTS = "TRUNCATE TABLE performance_schema.host_cache"


def _is_refused(server: tuple[str, int]) -> bool:
    """Hang up on the server's greeting; return whether it was an error instead."""
    with socket.create_connection(server, source_address=(SOURCE, 0)) as sock:
        greeting = sock.recv(64)
    return len(greeting) > HEADER and greeting[HEADER] == ERROR


@kind("failover", works=("write", "begin"), disaster="read only")
def primary_was_demoted(bench: Bench) -> None:
    """The server that took the writes was made a replica; its name leads nowhere else."""
    bench.use(lifeline={"failover_timeout": 0})
    bench.write()
    bench.strike()
    _first(bench)


@kind("read_only", works=("write", "begin"), disaster="read only")
def server_takes_no_writes(bench: Bench) -> None:
    """The server was made a replica."""
    bench.use()
    bench.read()
    bench.strike()
    _first(bench)


@kind("read_only", works=("write",), disaster="recovery")
def storage_takes_no_writes(bench: Bench) -> None:
    """The server was started with innodb_force_recovery, and says "read-only mode" (1836)."""
    bench.use()
    bench.strike()
    # MySQL says another number to a plain write, and MariaDB to DDL.
    ddl = bench.server.flavour == "mysql"
    bench.attempt((lambda: bench.execute("CREATE TABLE t (id INT)")) if ddl else bench.write)
    bench.expect("1836")


@kind("tls_failure", ways=TCP, works=FIRST, tls=(True,))
def certificate_of_somebody_else(bench: Bench) -> None:
    """The client trusts another certificate than the server's."""
    authority = {"ca": bench.place.other_certificate}
    if bench.setting.driver == "mysqlclient":
        bench.use(ssl=authority, ssl_mode="VERIFY_CA")
    else:
        bench.use(ssl=authority)
    _first(bench)


# With libmariadb, mysqlclient's ssl_mode="REQUIRED" goes on without encryption.
@kind("tls_failure", ways=(WIRE,), works=FIRST, tls=(False,), drivers=("pymysql",))
def server_without_tls(bench: Bench) -> None:
    """The client insists on TLS, and the server does not offer it."""
    bench.use(ssl_disabled=False, ssl={"verify_mode": False})
    _first(bench)


@kind("access_denied", ways=(DIRECT,), works=FIRST)
def password_wrong(bench: Bench) -> None:
    """The account's password is another one."""
    bench.use(PASSWORD="not the password")
    _first(bench)


@kind("unknown_database", ways=(DIRECT,), works=FIRST)
def database_missing(bench: Bench) -> None:
    """The server has no database of that name."""
    bench.use(NAME="no_such_database")
    _first(bench)


@kind("connection_refused", ways=(DIRECT,), works=FIRST)
def nobody_listens(bench: Bench) -> None:
    """Nothing listens at the port."""
    with socket.create_server((bench.server.host, 0)) as closed:
        port = closed.getsockname()[1]
    bench.use(PORT=port)
    _first(bench)


@kind("name_unknown", ways=(DIRECT,), works=FIRST)
def name_unknown(bench: Bench) -> None:
    """The name server does not know the host."""
    bench.use(HOST="no-such-host.invalid")
    _first(bench)


@kind("socket_missing", ways=(SOCKET,), works=FIRST)
def socket_missing(bench: Bench) -> None:
    """There is no such Unix socket."""
    bench.use(HOST=str(bench.folder() / "missing.sock"))
    _first(bench)


@kind("unreachable", ways=(DIRECT,), works=FIRST)
def no_greeting(bench: Bench) -> None:
    """Something accepts the connection and never says a word."""
    limit = bench.chance.choice((1, 2))
    with silent_listener() as port:
        bench.use(PORT=port, connect_timeout=limit)
        bench.note(connect_timeout=limit)
        _first(bench)


@kind("connection_refused", ways=(WIRE,), works=FIRST)
def refused_after_it_was_reached(bench: Bench) -> None:
    """The way to the server is closed after the first connection, which is lost too."""
    bench.use()
    bench.read()
    assert bench.proxy is not None
    bench.proxy.refuse()
    bench.proxy.cut(action=bench.chance.choice(("rst", "fin")))
    _first(bench)
