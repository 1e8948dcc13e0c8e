"""Somebody ends a session, or the whole server ends."""

from __future__ import annotations

import time

from django_lifeline.core.classification import ER_QUERY_INTERRUPTED
from lifeline_lab.incidents.bench import Bench
from lifeline_lab.incidents.kinds import BETWEEN, DIRECT, SOCKET, UNDER_WAY, WIRE, kind

HERE = (DIRECT, SOCKET, WIRE)


@kind("killed", ways=HERE, alike="cut_while_idle_with_fin")
def killed_while_idle(bench: Bench) -> None:
    """KILL of a session that is idle for less than every limit."""
    bench.use(session={"wait_timeout": bench.chance.choice((30, 300, 28800))})

    def fault() -> None:
        idle = bench.between(0.0, 1.5)
        time.sleep(idle)
        bench.kill()
        bench.note(idle=idle)

    bench.after_idle(fault)


@kind("killed", ways=HERE, works=UNDER_WAY, alike="cut_while_running_with_fin")
def killed_while_running(bench: Bench) -> None:
    """KILL of a session whose statement is under way."""
    bench.use()

    def fault() -> None:
        time.sleep(bench.between(0.0, 0.6))
        bench.kill()

    bench.while_running(fault)


def _after_a_while(bench: Bench) -> None:
    time.sleep(bench.between(0.5, 2.5))
    bench.strike()


@kind("server_restarted", ways=HERE, disaster="restart")
def restarted_while_idle(bench: Bench) -> None:
    """The server is restarted in good order while the connection is idle."""
    bench.use()
    bench.after_idle(lambda: _after_a_while(bench))


@kind("server_restarted", ways=HERE, disaster="crash")
def crashed_while_idle(bench: Bench) -> None:
    """The server's process is killed, and started again, while the connection is idle."""
    bench.use()
    bench.after_idle(lambda: _after_a_while(bench))


@kind("server_restarted", ways=HERE, works=UNDER_WAY[1:], disaster="restart")
def restarted_while_running(bench: Bench) -> None:
    """The server is restarted in good order while a statement is under way."""
    bench.use()
    bench.while_running(lambda: _after_a_while(bench))
    _meet_the_end(bench)


def _meet_the_end(bench: Bench) -> None:
    """Use the session again where its statement was answered all the same before it ended.

    MySQL says that the statement was interrupted; a SLEEP of MariaDB's only ends sooner.
    """
    interrupted = bench.caller == [f"OperationalError {ER_QUERY_INTERRUPTED}"]
    if interrupted or (bench.caller == ["ok"] and not bench.told):
        bench.wait_gone(bench.victim)
        bench.attempt(bench.read)


@kind("server_restarted", ways=HERE, works=UNDER_WAY[1:], disaster="crash")
def crashed_while_running(bench: Bench) -> None:
    """The server's process is killed, and started again, while a statement is under way."""
    bench.use()
    bench.while_running(lambda: _after_a_while(bench))
    _meet_the_end(bench)


@kind("connection_refused", ways=(DIRECT,), works=BETWEEN[:3], disaster="outage")
def stopped_and_not_come_back(bench: Bench) -> None:
    """The server is stopped while the connection is idle, and nobody starts it again."""
    bench.use(connect_timeout=2)
    bench.after_idle(bench.strike)


@kind("socket_missing", ways=(SOCKET,), works=BETWEEN[:3], disaster="outage")
def stopped_with_its_socket(bench: Bench) -> None:
    """The same by way of the Unix socket, whose file the server takes along."""
    bench.use(connect_timeout=2)
    bench.after_idle(bench.strike)
