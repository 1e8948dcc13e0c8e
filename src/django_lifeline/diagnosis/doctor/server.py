"""Asks a server about itself; reads only, and goes on where it may not read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django_lifeline.diagnosis.doctor.facts import Proxy, Server
from django_lifeline.diagnosis.saying import say
from django_lifeline.diagnosis.text import N_

Ask = Callable[[str], "list[tuple[Any, ...]]"]
"""Runs a statement that only reads; returns its rows, raises what the driver raises."""

VARIABLES = (
    "connect_timeout",
    "interactive_timeout",
    "max_allowed_packet",
    "max_connections",
    "max_user_connections",
    "net_read_timeout",
    "net_write_timeout",
    "proxy_protocol_networks",
    "read_only",
    "super_read_only",
    "wait_timeout",
)
COUNTERS = (
    "Aborted_clients",
    "Aborted_connects",
    "Connection_errors_max_connections",
    "Max_used_connections",
    "Threads_connected",
    "Uptime",
)
RDS_PROXY_IDLE = 1800.0
PROXYSQL_IDLE = 28800.0

_RDS_PROXY = re.compile(r"\.proxy-[a-z0-9-]+\..*\.rds\.amazonaws\.com", re.IGNORECASE)
_EVERYWHERE = re.compile(r"GRANT (.+?) ON \*\.\* TO ", re.IGNORECASE | re.DOTALL)
_OLD_MARIADB_PREFIX = "5.5.5-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What our end of the connection knows, to be compared with what the server says."""

    host: str = ""
    local_port: int | None = None
    """Our TCP port; None for a Unix socket."""
    greeting: str = ""
    """The version that was in the handshake."""
    thread_id: int | None = None
    """The session's number that was in the handshake."""


def read_server(ask: Ask, link: Link | None = None) -> Server:
    """Return what the server says; with ``link``, also look for what stands between.

    What a proxy or missing rights forbid is left out, and named in ``unread``.
    """
    reader = _Reader(ask)
    [(version, number, account)] = ask("SELECT VERSION(), CONNECTION_ID(), CURRENT_USER()")
    cipher = reader.pairs("SHOW SESSION STATUS LIKE 'Ssl_cipher'").get("Ssl_cipher", "")
    return Server(
        version=str(version),
        session=reader.pairs(f"SHOW SESSION VARIABLES WHERE Variable_name IN {_quoted(VARIABLES)}"),
        globals=reader.pairs(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN {_quoted(VARIABLES)}"),
        status=reader.pairs(f"SHOW GLOBAL STATUS WHERE Variable_name IN {_quoted(COUNTERS)}"),
        account=str(account or ""),
        rights=rights_in(str(row[0]) for row in reader.rows("SHOW GRANTS")),
        tls=bool(cipher),
        proxies=() if link is None else tuple(_proxies(reader, link, str(version), number)),
        unread=tuple(reader.unread),
    )


class _Reader:
    """Asks, and keeps what went wrong instead of raising it."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.unread: list[str] = []

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return self._ask(sql)
        except Exception as error:
            number = error.args[0] if error.args else type(error).__name__
            self.unread.append(f"{sql.split(' WHERE ')[0]} ({number})")
            return []

    def pairs(self, sql: str) -> Mapping[str, str]:
        return {str(row[0]): str(row[1]) for row in self.rows(sql)}

    def answers(self, sql: str) -> str:
        """Return the answer to a question that most servers do not know; empty: it does not."""
        try:
            rows = self._ask(sql)
        except Exception:
            return ""
        return str(rows[0][0]) if rows and rows[0] else ""


def rights_in(grants: Iterable[str]) -> frozenset[str]:
    """Return the privileges on everything that ``SHOW GRANTS`` lists; nothing else of it.

    The lines of MariaDB hold the password's hash.
    """
    rights: set[str] = set()
    for grant in grants:
        found = _EVERYWHERE.match(grant)
        if found is None:
            continue
        named = {right.strip().upper() for right in found[1].split(",")} - {"USAGE"}
        rights |= named
        if named and "WITH GRANT OPTION" in grant.upper():
            rights.add("GRANT OPTION")
    return frozenset(rights)


def _proxies(reader: _Reader, link: Link, version: str, number: object) -> Iterable[Proxy]:
    greeting = link.greeting.removeprefix(_OLD_MARIADB_PREFIX)
    moved = link.thread_id is not None and link.thread_id != number
    other = bool(greeting) and greeting.split("-")[0] != version.split("-")[0]
    named = list(_named(reader, link, greeting, ask=moved or other))
    yield from named
    if named:
        return
    if moved or other:
        told = (
            say(
                N_("the greeting says version {greeting}, the server {version}"),
                greeting=greeting,
                version=version,
            )
            if other
            else say(N_("the session's number is not the one in the greeting"))
        )
        yield Proxy(name=N_("a proxy that speaks MySQL"), evidence=told)
        return
    yield from _by_port(reader, link)


def _named(reader: _Reader, link: Link, greeting: str, *, ask: bool) -> Iterable[Proxy]:
    """Those that can be recognised; the questions are put only where something is odd."""
    if _RDS_PROXY.search(link.host):
        yield Proxy(
            name="RDS Proxy",
            evidence=say(N_("the host is {host}"), host=link.host),
            idle_limit=RDS_PROXY_IDLE,
        )
    if "proxysql" in greeting.lower() or (ask and reader.answers("PROXYSQL INTERNAL SESSION")):
        yield Proxy(
            name="ProxySQL",
            evidence=say(N_("it answers PROXYSQL INTERNAL SESSION"))
            if ask
            else say(N_("the greeting says {greeting}"), greeting=greeting),
            idle_limit=PROXYSQL_IDLE,
        )
    if greeting.lower().endswith("-router"):
        yield Proxy(
            name="MySQL Router",
            evidence=say(N_("the greeting says {greeting}"), greeting=greeting),
        )
    if "maxscale" in greeting.lower() or (ask and reader.answers("SELECT @@maxscale_version")):
        yield Proxy(name="MaxScale", evidence=say(N_("it answers @@maxscale_version")))


def _by_port(reader: _Reader, link: Link) -> Iterable[Proxy]:
    """A proxy that only forwards bytes shows in the port from which the server sees us come."""
    networks = reader.answers("SELECT @@proxy_protocol_networks")
    rows = reader.rows("SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()")
    seen = str(rows[0][0] or "") if rows else ""
    port = seen.rpartition(":")[2]
    if link.local_port is not None and port.isdigit() and int(port) != link.local_port:
        yield Proxy(
            name=N_("a TCP proxy (HAProxy or another load balancer, Docker, NAT)"),
            evidence=say(
                N_("we connect from port {port}, the server sees {seen}"),
                port=link.local_port,
                seen=seen,
            ),
        )
    elif networks:
        yield Proxy(
            name=N_("a proxy with the PROXY protocol"),
            evidence=say(N_("proxy_protocol_networks is {networks}"), networks=networks),
        )


def _quoted(names: Iterable[str]) -> str:
    return "(" + ", ".join(f"'{name}'" for name in names) + ")"
