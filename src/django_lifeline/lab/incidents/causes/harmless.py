"""Errors that are no loss: whoever names a cause for one of these raises a false alarm."""

from __future__ import annotations

import time

from django_lifeline.lab.incidents.bench import Bench
from django_lifeline.lab.incidents.kinds import NOTHING, UNDER_WAY, kind

ONE = ("read",)


@kind(NOTHING, works=ONE)
def wrong_sql(bench: Bench) -> None:
    """A statement with a mistake in it."""
    bench.use()
    bench.attempt(lambda: bench.execute("SELEKT 1"))


@kind(NOTHING, works=ONE)
def duplicate_key(bench: Bench) -> None:
    """A row whose key is there already."""
    bench.use()
    bench.attempt(lambda: bench.execute("INSERT INTO note (id) VALUES (1)"))


@kind(NOTHING, works=UNDER_WAY[2:])
def statement_killed_and_not_its_session(bench: Bench) -> None:
    """KILL QUERY ends a statement; its session lives."""
    bench.use()
    bench.while_running(lambda: bench.server.query(f"KILL QUERY {bench.victim}"))


@kind(NOTHING)
def idle_for_a_while(bench: Bench) -> None:
    """The connection is idle for less than every limit, and nothing happens to it."""
    bench.use(session={"wait_timeout": bench.chance.choice((10, 60))})
    bench.after_idle(lambda: time.sleep(bench.between(0.2, 1.5)))
