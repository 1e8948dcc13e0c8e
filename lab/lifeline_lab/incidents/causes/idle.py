"""The server ends what was idle for too long."""

from __future__ import annotations

import time

from lifeline_lab.incidents.bench import Bench
from lifeline_lab.incidents.kinds import BETWEEN, DIRECT, SOCKET, WIRE, kind

# Whole transactions idle as well: a thread that works between its write and its COMMIT.


@kind("idle_timeout")
def idle_beyond_the_limit_of_every_session(bench: Bench) -> None:
    """Each session begins with a short wait_timeout, and is idle for longer."""
    limit = bench.chance.choice((1, 2, 3))
    _use_past_the_limit(bench, limit)
    bench.after_idle(lambda: _outlive(bench, limit))


@kind("idle_timeout")
def idle_beyond_a_limit_that_the_application_set(bench: Bench) -> None:
    """The application itself sets its session's wait_timeout, and is idle for longer."""
    limit = bench.chance.choice((1, 2))
    bench.use()
    bench.execute(f"SET SESSION wait_timeout = {limit}")
    bench.after_idle(lambda: _outlive(bench, limit))


@kind("idle_timeout", works=BETWEEN, disaster="short wait")
def idle_beyond_a_global_limit_lowered_meanwhile(bench: Bench) -> None:
    """wait_timeout is lowered for all new sessions after the first one was opened."""
    bench.use()
    bench.read()
    bench.strike()
    bench.note(limit=bench.server.query("SELECT @@global.wait_timeout")[0][0])
    bench.in_thread(lambda: bench.after_idle(lambda: _outlive(bench, 1)))


def _outlive(bench: Bench, limit: int) -> None:
    begin = time.monotonic()
    bench.wait_gone(bench.victim)
    time.sleep(bench.between(0.0, 1.2))
    bench.note(limit=limit, idle=round(time.monotonic() - begin, 2))


@kind("killed", ways=(DIRECT, SOCKET, WIRE), alike="idle_beyond_the_limit_of_every_session")
def killed_shortly_before_its_time_was_up(bench: Bench) -> None:
    """KILL comes shortly before wait_timeout would have; it is used after the limit."""
    limit = bench.chance.choice((2, 3))
    _use_past_the_limit(bench, limit)

    def fault() -> None:
        time.sleep(limit - 1)
        bench.kill()
        time.sleep(1 + bench.between(0.2, 1.0))
        bench.note(limit=limit, killed_after=limit - 1)

    bench.after_idle(fault)


@kind("network_cut", ways=(WIRE,), alike="idle_beyond_the_limit_of_every_session")
def cut_shortly_before_its_time_was_up(bench: Bench) -> None:
    """The network cuts the connection shortly before wait_timeout; it is used after the limit."""
    limit = bench.chance.choice((2, 3))
    _use_past_the_limit(bench, limit)

    def fault() -> None:
        time.sleep(limit - 1)
        assert bench.proxy is not None
        bench.proxy.cut(action=bench.chance.choice(("rst", "fin")))
        time.sleep(1 + bench.between(0.2, 1.0))
        bench.note(limit=limit, cut_after=limit - 1)

    bench.after_idle(fault)


def _use_past_the_limit(bench: Bench, limit: int) -> None:
    # By itself the pool would retire the connection in time, and nothing would be lost.
    long = {"max_lifetime": 600, "max_idle": 600}
    bench.use(session={"wait_timeout": limit}, pool=long if bench.setting.pooled else None)
