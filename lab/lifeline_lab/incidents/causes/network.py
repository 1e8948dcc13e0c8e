"""What happens between client and server."""

from __future__ import annotations

import time

from lifeline_lab.incidents.bench import Bench
from lifeline_lab.incidents.ground import SETTLE
from lifeline_lab.incidents.kinds import (
    BETWEEN,
    DIRECT,
    HAPROXY,
    TCP,
    UNDER_WAY,
    WIRE,
    kind,
)
from lifeline_lab.incidents.network import deafen
from lifeline_lab.wire import WireProxy


def _wire(bench: Bench) -> WireProxy:
    assert bench.proxy is not None
    return bench.proxy


def _cut_while_idle(bench: Bench, action: str) -> None:
    bench.use(session={"wait_timeout": bench.chance.choice((30, 300, 28800))})

    def fault() -> None:
        idle = bench.between(0.0, 1.5)
        time.sleep(idle)
        _wire(bench).cut(action=action)  # type: ignore[arg-type]
        time.sleep(SETTLE)
        bench.note(idle=idle)

    bench.after_idle(fault)


@kind("network_cut", ways=(WIRE,))
def cut_while_idle_with_rst(bench: Bench) -> None:
    """A firewall resets an idle connection."""
    _cut_while_idle(bench, "rst")


@kind("network_cut", ways=(WIRE,), alike="killed_while_idle")
def cut_while_idle_with_fin(bench: Bench) -> None:
    """A proxy closes an idle connection in good order."""
    _cut_while_idle(bench, "fin")


@kind("network_cut", ways=(HAPROXY,), alike="killed_while_idle")
def idle_beyond_the_limit_of_haproxy(bench: Bench) -> None:
    """HAProxy has a shorter idle limit than the server."""
    limit = bench.between(0.4, 1.2)
    bench.use(session={"wait_timeout": bench.chance.choice((5, 60, 28800))}, idle_limit=limit)

    def fault() -> None:
        bench.wait_gone(bench.victim)
        bench.note(limit=limit)

    bench.after_idle(fault)


@kind("network_cut", ways=(WIRE,), works=UNDER_WAY)
def cut_while_running_with_rst(bench: Bench) -> None:
    """A connection is reset while a statement is under way."""
    bench.use()
    bench.while_running(lambda: _wire(bench).cut(action="rst"))


@kind("network_cut", ways=(WIRE,), works=UNDER_WAY, alike="killed_while_running")
def cut_while_running_with_fin(bench: Bench) -> None:
    """A proxy ends in good order while a statement is under way."""
    bench.use()
    bench.while_running(lambda: _wire(bench).cut(action="fin"))


@kind("network_cut", ways=(WIRE,), works=("commit",), tls=(False,))
def cut_before_the_answer_to_commit(bench: Bench) -> None:
    """COMMIT reaches the server and its answer does not come back."""
    bench.use()
    bench.read()
    _wire(bench).on("COMMIT", "after_send", bench.chance.choice(("rst", "fin")))

    def transact() -> None:
        with bench.atomic():
            bench.write()

    bench.attempt(transact)


@kind("half_open", ways=TCP, works=("read", "write", "atomic"))
def vanished_before_it_was_used(bench: Bench) -> None:
    """Packets from the other side stop coming; the next statement is never acknowledged."""
    limit = bench.between(1.0, 2.0)
    bench.use(lifeline={"tcp_user_timeout": limit})
    bench.note(tcp_user_timeout=limit)
    bench.after_idle(lambda: deafen(bench.fd))


@kind("half_open", ways=TCP, works=BETWEEN)
def vanished_while_idle_with_keepalive(bench: Bench) -> None:
    """Packets stop coming while the connection is idle, and TCP's keepalive notices."""
    bench.use(lifeline={"tcp_keepalive": 1, "tcp_user_timeout": 2.0})

    def fault() -> None:
        deafen(bench.fd)
        time.sleep(5 + bench.between(0.0, 0.5))

    bench.after_idle(fault)


@kind(
    "half_open",
    ways=(WIRE,),
    works=("read", "write", "atomic"),
    alike="statement_slower_than_read_timeout",
)
def swallowed_by_a_proxy(bench: Bench) -> None:
    """A proxy acknowledges the next statement and passes nothing on; read_timeout ends it."""
    limit = bench.chance.choice((1, 2))
    bench.use(read_timeout=limit, connect_timeout=3)
    bench.note(read_timeout=limit)

    def fault() -> None:
        _wire(bench).blackhole()
        _wire(bench).resume()  # new connections get through

    bench.after_idle(fault)


@kind(
    "half_open",
    ways=(DIRECT, WIRE),
    works=("read", "write"),
    disaster="freeze",
    alike="statement_slower_than_read_timeout",
)
def server_stands_still(bench: Bench) -> None:
    """The server's host hangs: nothing answers, and new connections get no greeting."""
    limit = bench.chance.choice((1, 2))
    bench.use(read_timeout=limit, connect_timeout=1)
    bench.note(read_timeout=limit)
    bench.after_idle(bench.strike)


@kind("client_timeout", works=UNDER_WAY, alike="swallowed_by_a_proxy")
def statement_slower_than_read_timeout(bench: Bench) -> None:
    """A statement takes longer than the driver's read_timeout."""
    limit = bench.chance.choice((1, 2, 3))
    bench.use(read_timeout=limit)
    bench.note(read_timeout=limit)
    bench.while_running(lambda: time.sleep(limit + bench.between(0.2, 0.5)))


@kind("client_timeout", ways=(WIRE,), works=("write",), tls=(False,))
def statement_sent_slower_than_write_timeout(bench: Bench) -> None:
    """A large statement cannot be sent within write_timeout, since the network is slow."""
    limit = bench.chance.choice((1, 2))
    bench.use(write_timeout=limit)
    bench.note(write_timeout=limit)
    bench.read()
    _wire(bench).hold()
    size = int(str(bench.place.variables["max_allowed_packet"])) - 1000
    # More than the kernel's buffers on both sides take.
    bench.note(bytes=size)
    try:
        bench.attempt(lambda: bench.execute("INSERT INTO note (text) VALUES (%s)", "x" * size))
    finally:
        _wire(bench).release()
