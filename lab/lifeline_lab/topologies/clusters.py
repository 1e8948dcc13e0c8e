"""Servers that replicate: a pair with one replica, and a group of three. Galera: `galera`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pymysql

from lifeline_lab.servers import Server, start
from lifeline_lab.servers.server import free_ports

DATABASE = "failover"
TABLE = "CREATE TABLE piece (id VARCHAR(40) PRIMARY KEY) ENGINE=InnoDB"
REPLICATING = "'repl'@'%%'"
SECRET = "Replicate-1"
PATIENCE = 60.0


@dataclass
class Cluster:
    """Servers of which one takes the writes, the first at the beginning."""

    servers: list[Server]
    promote: Callable[[int], None]
    """Make this server the one that takes writes; the others take none."""
    elected: Callable[[], int | None]
    """The number of the server that was made the primary by the cluster itself, if any."""
    restart: Callable[[int], None]
    """Stop this server in good order and start it; returns when it has caught up as a replica."""

    def rows(self, number: int) -> set[str]:
        """What this server has stored."""
        found = self.servers[number].query(f"SELECT id FROM {DATABASE}.piece")
        return {str(row[0]) for row in found}


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Wait for the state of a server; a server that is away does not hold it yet."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(pymysql.err.Error):
            if holds():
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {PATIENCE:g} s")
        time.sleep(0.02)


@contextlib.contextmanager
def alone(flavour: str) -> Iterator[Cluster]:
    """One server, for many clients."""
    with start(flavour, {"max_connections": 400}) as server:
        server.query(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        server.query(TABLE.replace("piece", f"{DATABASE}.piece", 1))
        yield Cluster(
            [server], lambda number: None, lambda: 0, lambda number: _stop_and_start(server)
        )


def _stop_and_start(server: Server, **variables: object) -> None:
    server.stop()
    server.start_again(**variables)


def forget_accounts(server: Server) -> None:
    """Make them no second time when the server starts again: that would be a write of its own."""
    (server.folder / "account.sql").write_text("")


@contextlib.contextmanager
def pair(flavour: str) -> Iterator[Cluster]:
    """A primary with one replica that follows it asynchronously."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(start(flavour, _replicating(flavour, number))) for number in (1, 2)
        ]
        for server in servers:
            server.query(f"CREATE USER IF NOT EXISTS {REPLICATING} IDENTIFIED BY '{SECRET}'")
            server.query(f"GRANT REPLICATION SLAVE ON *.* TO {REPLICATING}")
            server.query("RESET MASTER" if flavour == "mariadb" else "RESET BINARY LOGS AND GTIDS")
            forget_accounts(server)
        first, second = servers
        _lock(second)
        _follow(second, first)
        first.query(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        first.query(TABLE.replace("piece", f"{DATABASE}.piece", 1))
        cluster = Cluster(
            servers,
            lambda number: _promote(servers, number),
            lambda: None,
            lambda number: _restart_replica(servers, number),
        )
        wait_until(lambda: cluster.rows(1) == set(), "replication")
        yield cluster


def _replicating(flavour: str, number: int) -> dict[str, object]:
    common: dict[str, object] = {"log_bin": "bin", "server_id": number}
    if flavour == "mariadb":
        return {**common, "log_slave_updates": True, "gtid_strict_mode": True}
    return {**common, "gtid_mode": "ON", "enforce_gtid_consistency": "ON"}


def _follow(replica: Server, source: Server, *, demoted: bool = False) -> None:
    if replica.flavour == "mariadb":
        # What an old primary wrote itself counts as replicated.
        demote = ", MASTER_DEMOTE_TO_SLAVE=1" if demoted else ""
        replica.query(
            f"CHANGE MASTER TO MASTER_HOST='{source.host}', MASTER_PORT={source.port},"
            f" MASTER_USER='repl', MASTER_PASSWORD='{SECRET}', MASTER_USE_GTID=slave_pos{demote}"
        )
        replica.query("START SLAVE")
        return
    replica.query(
        f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='{source.host}', SOURCE_PORT={source.port},"
        f" SOURCE_USER='repl', SOURCE_PASSWORD='{SECRET}', SOURCE_AUTO_POSITION=1,"
        " GET_SOURCE_PUBLIC_KEY=1"
    )
    replica.query("START REPLICA")


def _lock(server: Server) -> None:
    server.query(f"SET GLOBAL {_locked_by(server)} = 1")


def _locked_by(server: Server) -> str:
    return "read_only" if server.flavour == "mariadb" else "super_read_only"


def _promote(servers: list[Server], number: int) -> None:
    """As tools do it: lock the old one if it lives, wait for the replica, and unlock that."""
    old, new = servers[1 - number], servers[number]
    with contextlib.suppress(pymysql.err.Error):
        _lock(old)
        _catch_up(new, old)
    _apply_what_came(new)
    new.query("STOP SLAVE" if new.flavour == "mariadb" else "STOP REPLICA")
    new.query("SET GLOBAL read_only = 0")


def _apply_what_came(replica: Server) -> None:
    """What the old primary had sent before it died is not lost."""
    word = "SLAVE" if replica.flavour == "mariadb" else "REPLICA"
    replica.query(f"STOP {word} IO_THREAD")

    def applied() -> bool:
        [status] = replica.query(f"SHOW {word} STATUS")
        # File and position of what was received, and of what was executed.
        return (status[5], status[6]) == (status[9], status[21])

    wait_until(applied, "applying what came")


def _catch_up(replica: Server, source: Server) -> None:
    mariadb = source.flavour == "mariadb"
    position = source.query("SELECT @@gtid_binlog_pos" if mariadb else "SELECT @@gtid_executed")
    wait = "MASTER_GTID_WAIT" if mariadb else "WAIT_FOR_EXECUTED_GTID_SET"
    replica.query(f"SELECT {wait}('{position[0][0]}', 20)")


def _restart_replica(servers: list[Server], number: int) -> None:
    """It stays a replica, and becomes one if it was the primary before the other was promoted."""
    replica, source = servers[number], servers[1 - number]
    _stop_and_start(replica, **{_locked_by(replica): True})
    known = "SHOW SLAVE STATUS" if replica.flavour == "mariadb" else "SHOW REPLICA STATUS"
    if not replica.query(known):
        _follow(replica, source, demoted=True)
    _catch_up(replica, source)


@contextlib.contextmanager
def group(size: int = 3) -> Iterator[Cluster]:
    """Members of MySQL's Group Replication with one primary."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(start("mysql", {**_replicating("mysql", number), **_member()}))
            for number in range(1, size + 1)
        ]
        ports = free_ports(len(servers))
        seeds = ",".join(f"127.0.0.1:{port}" for port in ports)
        for server, port in zip(servers, ports, strict=True):
            _prepare(server)
            _configure(server, port, seeds)
        servers[0].query("SET GLOBAL group_replication_bootstrap_group = ON")
        for server in servers:
            _join(server)
            servers[0].query("SET GLOBAL group_replication_bootstrap_group = OFF")
        wait_until(lambda: {_state(each) for each in servers} == {"ONLINE"}, "the group")
        servers[0].query(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        servers[0].query(TABLE.replace("piece", f"{DATABASE}.piece", 1))
        yield Cluster(
            servers,
            lambda number: _set_as_primary(servers, number),
            lambda: _writable(servers),
            lambda number: _restart_member(servers[number], ports[number], seeds),
        )


def _member() -> dict[str, object]:
    return {
        "performance_schema": "ON",
        "plugin_load_add": "group_replication.so",
        "report_host": "127.0.0.1",
        "mysqlx": "OFF",
    }


def _prepare(server: Server) -> None:
    forget_accounts(server)
    server.query("RESET BINARY LOGS AND GTIDS")
    server.query("SET GLOBAL super_read_only = 0")
    server.query(f"CREATE USER IF NOT EXISTS {REPLICATING} IDENTIFIED BY '{SECRET}'")
    rights = "REPLICATION SLAVE, CONNECTION_ADMIN, BACKUP_ADMIN, GROUP_REPLICATION_STREAM"
    server.query(f"GRANT {rights} ON *.* TO {REPLICATING}")
    server.query("RESET BINARY LOGS AND GTIDS")


def _configure(server: Server, port: int, seeds: str) -> None:
    chosen: dict[str, Any] = {
        "group_name": "'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'",
        "local_address": f"'127.0.0.1:{port}'",
        "group_seeds": f"'{seeds}'",
        "recovery_get_public_key": 1,
        "member_expel_timeout": 0,
    }
    for name, value in chosen.items():
        server.query(f"SET GLOBAL group_replication_{name} = {value}")


def _join(server: Server) -> None:
    server.query("START GROUP_REPLICATION USER='repl', PASSWORD='" + SECRET + "'")


def _restart_member(server: Server, port: int, seeds: str) -> None:
    _stop_and_start(server)
    _configure(server, port, seeds)
    _join(server)
    wait_until(lambda: _state(server) == "ONLINE", "joining again")


def _state(server: Server) -> str:
    rows = server.query(
        "SELECT member_state FROM performance_schema.replication_group_members"
        " WHERE member_id = @@server_uuid"
    )
    return str(rows[0][0]) if rows else ""


def lose_sight(servers: list[Server]) -> None:
    """Let the first member wait for the others in vain until it gives up, with what it had sent to
    them; they go on afterwards.
    """
    first, *others = servers
    first.set_global("group_replication_unreachable_majority_timeout", 1)
    for server in others:
        server.pause()
    wait_until(lambda: _state(first) == "ERROR", "the loss of a majority")
    for server in others:
        server.resume()


def _set_as_primary(servers: list[Server], number: int) -> None:
    [[uuid]] = servers[number].query("SELECT @@server_uuid")
    servers[number].query(f"SELECT group_replication_set_as_primary('{uuid}')")


def _writable(servers: list[Server]) -> int | None:
    for number, server in enumerate(servers):
        with contextlib.suppress(pymysql.err.Error):
            if server.query("SELECT @@super_read_only")[0][0] == 0:
                return number
    return None
