"""Three nodes of Galera: each takes writes, as long as it sees the majority."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from lifeline_lab.servers import Installation, Server, ServerFailed, ServerMissing, find
from lifeline_lab.servers.server import HOST, free_ports
from lifeline_lab.topologies.clusters import DATABASE, TABLE, Cluster, forget_accounts, wait_until

PLACES = ("/usr/lib/galera", "/usr/lib64/galera-4", "/usr/lib64/galera", "/usr/local/lib/galera")
TRANSFER = "copy"
"""The name of ``wsrep_sst_copy`` beside this file, as the server calls it."""
PROBE = f"CREATE TABLE {DATABASE}.probe (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB"


@contextlib.contextmanager
def galera() -> Iterator[Cluster]:
    """Three nodes at default settings, all of them in step."""
    installation = _with_transfer(find("mariadb"))
    library = provider()
    with ExitStack() as stack:
        servers = [
            stack.enter_context(contextlib.closing(Server(installation, {}))) for _ in range(3)
        ]
        ports = free_ports(2 * len(servers))
        group = "gcomm://" + ",".join(f"{HOST}:{port}" for port in ports[::2])
        for number, server in enumerate(servers):
            begun = "gcomm://" if number == 0 else group
            node = _node(f"n{number}", ports[2 * number], ports[2 * number + 1], library)
            _start(server, **node, wsrep_cluster_address=begun)
            wait_until(lambda server=server: is_synced(server), "joining")  # type: ignore[misc]
            forget_accounts(server)
        servers[0].query(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        servers[0].query(TABLE.replace("piece", f"{DATABASE}.piece", 1))
        servers[0].query(PROBE)
        yield Cluster(
            servers,
            lambda number: None,
            lambda: next((n for n, each in enumerate(servers) if is_synced(each)), None),
            lambda number: _restart(servers[number], group),
        )


def provider() -> Path:
    """The library that makes a node of a server."""
    for place in PLACES:
        library = Path(place) / "libgalera_smm.so"
        if library.exists():
            return library
    raise ServerMissing("There is no Galera: apt-get install galera-4")


def is_synced(server: Server) -> bool:
    """Whether the node takes statements and is in step with the others: what checks ask for."""
    return status(server, "local_state_comment") == "Synced" and status(server, "ready") == "ON"


def status(server: Server, name: str) -> str:
    """What the node says of itself."""
    rows = server.query(f"SHOW STATUS LIKE 'wsrep_{name}'")
    return str(rows[0][1]) if rows else ""


def wait_until_writable(server: Server) -> None:
    """Wait until a write has gone through: after a crash the others say that they are well, and
    keep every write waiting until they have given the lost one up.
    """
    wait_until(lambda: server.query(f"INSERT INTO {DATABASE}.probe VALUES ()") == [], "a write")


def refuse(server: Server) -> None:
    """Let the node refuse all statements, as somebody does who wants to work on it."""
    server.set_global("wsrep_reject_queries", "ALL")


def cut_off(server: Server) -> None:
    """Let the node neither hear nor speak to the others; returns when it has noticed."""
    server.query("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")
    wait_until(lambda: status(server, "cluster_status") == "non-Primary", "the loss of a majority")


@contextlib.contextmanager
def donating(servers: list[Server], number: int, joiner: int) -> Iterator[None]:
    """Let a node hand its whole state to one that lost its own, for as long as the block takes;
    meanwhile every write there waits.
    """
    data = servers[number].folder / "data"
    held = data / "transfer_held"
    (data / "hold_transfer").touch()
    servers[joiner].stop()
    (servers[joiner].folder / "data" / "grastate.dat").unlink()
    with ThreadPoolExecutor(1) as aside:
        joining = aside.submit(_start, servers[joiner], wsrep_sst_donor=f"n{number}")
        try:
            wait_until(held.exists, "the request for the state")
            yield
        finally:
            held.unlink()
        joining.result()
    wait_until(lambda: is_synced(servers[joiner]) and is_synced(servers[number]), "the end of it")


def _with_transfer(found: Installation) -> Installation:
    path = os.pathsep.join((str(Path(__file__).parent), os.environ.get("PATH", "")))
    return replace(found, program=("env", f"PATH={path}", *found.program))


def _start(server: Server, **variables: object) -> None:
    try:
        server.start_again(**variables)
    except ServerFailed:
        # Galera now and then finds its own thread missing (thread_get_schedparam), and ends.
        server.kill()
        server.start_again()


def _node(name: str, port: int, transfer_port: int, library: Path) -> dict[str, object]:
    options = {
        "gmcast.listen_addr": f"tcp://{HOST}:{port}",
        "ist.recv_addr": f"{HOST}:{transfer_port}",
        "gcache.size": "16M",
    }
    return {
        "wsrep_on": True,
        "wsrep_provider": library,
        "wsrep_provider_options": ";".join(f"{name}={value}" for name, value in options.items()),
        "wsrep_cluster_name": "lab",
        "wsrep_node_name": name,
        "wsrep_node_address": f"{HOST}:{port}",
        "wsrep_sst_method": TRANSFER,
        "binlog_format": "ROW",
        "innodb_autoinc_lock_mode": 2,
    }


def _restart(server: Server, group: str) -> None:
    """In good order; it learns what it missed from the others' memory (IST)."""
    server.stop()
    _start(server, wsrep_cluster_address=group)
    wait_until(lambda: is_synced(server), "joining again")
