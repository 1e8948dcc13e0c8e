"""Errors that are no loss: whoever names a cause for one of these raises a false alarm."""

from __future__ import annotations

import time
from typing import Any

from lifeline_lab.incidents.bench import Bench
from lifeline_lab.incidents.causes.interrupted import signals
from lifeline_lab.incidents.kinds import MAIN, NOTHING, UNDER_WAY, WIRE, kind
from lifeline_lab.incidents.place import stranger

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


@kind(NOTHING, works=("write",))
def session_read_only_by_choice(bench: Bench) -> None:
    """The application's own settings make its sessions read only; the server takes writes."""
    bench.use(
        session={"transaction_read_only" if bench.server.flavour == "mysql" else "tx_read_only": 1}
    )
    bench.attempt(bench.write)


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


@kind(NOTHING, works=UNDER_WAY)
def slow_but_alive(bench: Bench) -> None:
    """A statement waits long for a lock, within every limit, and then runs."""
    bench.use()
    bench.while_running(lambda: time.sleep(bench.between(0.5, 1.5)))


@kind(NOTHING, ways=(WIRE,))
def slow_network(bench: Bench) -> None:
    """What is sent stays on its way for a while, both ways, and then arrives."""
    bench.use()
    wire = bench.proxy
    assert wire is not None
    bench.read()
    wire.hold()

    def release() -> None:
        time.sleep(bench.between(0.5, 1.5))
        wire.release()

    with bench.beside(release):
        bench.attempt(bench.write)


@kind(NOTHING, works=ONE)
def lock_wait_too_long(bench: Bench) -> None:
    """Another session holds a row for longer than innodb_lock_wait_timeout (1205)."""
    bench.use(session={"innodb_lock_wait_timeout": 1})
    with _other(bench) as other:
        other.query("START TRANSACTION")
        other.query("UPDATE note SET text = 'theirs' WHERE id = 1")
        bench.attempt(lambda: bench.execute("UPDATE note SET text = 'ours' WHERE id = 1"))
    bench.expect("1205")


@kind(NOTHING, works=ONE)
def deadlock(bench: Bench) -> None:
    """Two transactions wait for each other's rows, and ours is given up (1213)."""
    bench.use()
    mark = f"/* mark {bench.setting.seed} */"

    def transact() -> None:
        with bench.atomic():
            bench.execute("UPDATE note SET text = 'ours' WHERE id = 1")
            theirs = f"UPDATE note SET text = 'theirs' WHERE id = 1 {mark}"
            with bench.beside(lambda: other.query(theirs)):
                bench.wait_running(mark)
                bench.execute("UPDATE busy SET text = 'ours' WHERE id = 1")

    with _other(bench) as other:
        other.query("START TRANSACTION")
        other.query("UPDATE busy SET text = 'theirs' WHERE id = 1")
        # The server gives up the transaction that has changed less.
        other.query(
            "INSERT INTO busy (text) SELECT 'more' FROM information_schema.columns LIMIT 50"
        )
        bench.attempt(transact)
    bench.expect("1213")


@kind(NOTHING)
def closed_on_purpose(bench: Bench) -> None:
    """The program calls Django's close() between two pieces of work."""
    bench.use()
    if bench.setting.work in ("atomic", "commit"):
        with bench.atomic():
            bench.write()
    else:
        bench.read()
    bench.wrapper.close()
    bench.attempt(bench.write)


# Over TLS libmariadb takes a signal for the end of read_timeout: then it is an interruption.
@kind(NOTHING, works=UNDER_WAY, tls=(False,), lanes=(MAIN,))
def signal_that_raises_nothing(bench: Bench) -> None:
    """Signals arrive in the middle of a statement, and their handler just returns."""
    bench.use()
    with signals():
        bench.while_running(lambda: time.sleep(0.3))


def _other(bench: Bench) -> Any:
    """Return another program's session in the same database, to be closed by the caller."""
    return stranger(bench.server, database=bench.database, autocommit=True)
