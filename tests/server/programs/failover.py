"""A primary is made read only, stays up, and its name leads to another server for new connections.

The name is a proxy of the lab's. The old server is the shared one, so each check puts it back.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.db import Error, close_old_connections, connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.server.programs.toolbox import (
    Checks,
    create_table,
    one,
    outcome,
    run,
    say,
    wait_until,
)

from django_lifeline.signals import failover_finished
from lifeline_lab.servers import Server, start
from lifeline_lab.wire import WireProxy

INSERT = "INSERT INTO row_written (tag, number) VALUES (%s, 1)"
WRITERS = 8
proxy: WireProxy
new: Server
check = Checks()


def lock_old() -> None:
    """Make the server of before read only, as whoever promotes another one does first."""
    name = "super_read_only" if SETUP["server"]["flavour"] == "mysql" else "read_only"
    admin(f"SET GLOBAL {name} = 1")


@contextlib.contextmanager
def servers() -> Iterator[None]:
    """Begin with the old server writable and the name leading to it."""
    proxy.target = (SETUP["server"]["host"], SETUP["server"]["port"])
    try:
        yield
    finally:
        admin("SET GLOBAL read_only = 0")


def lead_to_new() -> None:
    proxy.target = (new.host, new.port)


def host(alias: str) -> int:
    """The port of the server that answers."""
    return int(one(alias, "SELECT @@port"))


def rows(tag: str) -> tuple[int, int]:
    """How many rows of this tag the old and the new server have."""
    sql = "SELECT COUNT(*) FROM row_written WHERE tag = %s"
    name = SETUP["database"]["NAME"]
    other = new.query(f"SELECT COUNT(*) FROM {name}.row_written WHERE tag = %s", tag)
    return int(admin(sql, tag)[0][0]), int(other[0][0])


def cause(call: Callable[[], Any]) -> list[Any]:
    """The number of what is raised, and what the engine says of it."""
    try:
        call()
    except Error as error:
        diagnosis = getattr(error, "diagnosis", None)
        said = [diagnosis.cause, diagnosis.confidence.value] if diagnosis else [None, None]
        return [error.args[0], *said, diagnosis.label.value if diagnosis else None]
    return ["ok"]


def old_sessions() -> int:
    """How many sessions of the application's account the old server has."""
    sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = %s"
    return int(admin(sql, SETUP["server"]["user"])[0][0])


@check
def planned_switch_over(alias: str) -> dict[str, Any]:
    """Writers and readers at work all the time; the name follows a moment after the lock."""
    said: Counter[str] = Counter()
    acknowledged: Counter[str] = Counter()
    over = threading.Event()
    told: list[dict[str, Any]] = []
    heard: Callable[..., None] = lambda sender, signal, **what: told.append(what)  # noqa: E731

    def work(number: int) -> None:
        tag = f"{alias}-{number}"
        while not over.is_set():
            result = outcome(lambda: run(alias, INSERT, [tag]))
            said[f"write {result}"] += 1
            acknowledged[tag] += result == "ok"
            said[f"read {outcome(lambda: one(alias, 'SELECT 1'))}"] += 1
            close_old_connections()
        connections[alias].close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(WRITERS)]
    others = old_sessions()
    failover_finished.connect(heard)
    with servers():
        for thread in threads:
            thread.start()
        wait_until(lambda: said["write ok"] > 5 * WRITERS, "for the writers to begin")
        lock_old()
        before, accepted = said["write ok"], proxy.accepted
        # Each of ours that comes back was sent away once: the name leads to the old server still.
        wait_until(
            lambda: proxy.accepted > accepted + 2 or before + 100 < sum(said.values()) / 2,
            "for the refused to have looked for another server",
        )
        lead_to_new()
        wait_until(lambda: sum(said.values()) > 2 * (before + 20 * WRITERS), "for them to go on")
        over.set()
        for thread in threads:
            thread.join()
        wait_until(lambda: alias.startswith("stock") or old_sessions() <= others, "for their end")
        left = max(old_sessions() - others, 0)
        there = {tag: sum(rows(tag)) for tag in acknowledged}
    failover_finished.disconnect(heard)
    return {
        "said": said,
        "lost or twice": {tag: n for tag, n in acknowledged.items() if there[tag] != n},
        "on the new server": sum(rows(f"{alias}-{n}")[1] for n in range(WRITERS)) > 0,
        "sessions left on the old one": left,
        "told": [{**what, "seconds": what["seconds"] < 10} for what in told],
    }


@check
def first_statement_of_a_transaction(alias: str) -> Any:
    with servers():
        run(alias, INSERT, [alias])
        lock_old()
        lead_to_new()

        def block() -> None:
            with transaction.atomic(alias):
                run(alias, INSERT, [alias])
                run(alias, INSERT, [alias])

        return outcome(block), rows(alias)


@check
def transaction_with_work(alias: str) -> Any:
    """Its earlier statements are rolled back by its author, and the next transaction goes on."""
    with servers():
        run(alias, INSERT, [alias])

        def block() -> None:
            with transaction.atomic(alias):
                one(alias, "SELECT COUNT(*) FROM row_written")
                lock_old()
                lead_to_new()
                run(alias, INSERT, [alias])

        def next_block() -> None:
            with transaction.atomic(alias):
                one(alias, "SELECT COUNT(*) FROM row_written")
                run(alias, INSERT, [alias])

        return cause(block), outcome(next_block), rows(alias)


@check
def commit(alias: str) -> Any:
    """A server that is locked meanwhile refuses the COMMIT, and rolls back."""
    with servers():
        run(alias, INSERT, [alias])
        locking = threading.Thread(target=lock_old)

        def block() -> None:
            with transaction.atomic(alias):
                run(alias, INSERT, [alias])
                locking.start()
                # It waits for the commits that are under way, or is done; both are locked.
                wait_until(lambda: not locking.is_alive() or _waits_for_locks(), "for the lock")
                lead_to_new()

        said = cause(block)
        locking.join()
        return said, outcome(lambda: run(alias, INSERT, [alias])), rows(alias)


def _waits_for_locks() -> bool:
    sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SET GLOBAL%%'"
    return bool(admin(sql)[0][0])


@check
def name_that_stays(alias: str) -> Any:
    """Nothing takes over: the first write waits in vain, the next ones do not, reads go on."""
    with servers():
        run(alias, INSERT, [alias])
        lock_old()
        said = [cause(lambda: run(alias, INSERT, [alias]))]
        began = time.monotonic()
        said += [cause(lambda: run(alias, INSERT, [alias])) for _ in range(5)]
        waited = time.monotonic() - began
        reads = outcome(lambda: one(alias, "SELECT 7"))
        admin("SET GLOBAL read_only = 0")
        close_old_connections()
        return said, waited < 1, reads, outcome(lambda: run(alias, INSERT, [alias])), rows(alias)


@check
def alias_that_never_wrote(alias: str) -> Any:
    """It may be a replica by mistake: no search; the next piece of work connects anew."""
    with servers():
        one(alias, "SELECT 1")
        lock_old()
        lead_to_new()
        said = cause(lambda: run(alias, INSERT, [alias]))
        close_old_connections()
        return said, outcome(lambda: run(alias, INSERT, [alias]))


@check
def another_option_prevents(alias: str) -> Any:
    """1290 on a server that can be written: nothing is claimed, for one round trip."""
    with servers():
        lead_to_new()
        run(alias, INSERT, [alias])
        session = one(alias, "SELECT CONNECTION_ID()")
        proxy.clear()
        said = cause(lambda: run(alias, "SELECT 1 INTO OUTFILE '/nowhere/at/all'"))
        sent = len(proxy.commands)
        return said, sent, one(alias, "SELECT CONNECTION_ID()") == session


@check
def exempt_account(alias: str) -> Any:
    """It may write to a server that is read only, and meets 1290 for another reason."""
    right = "CONNECTION_ADMIN" if SETUP["server"]["flavour"] == "mysql" else "READ_ONLY ADMIN"
    new.query("CREATE USER IF NOT EXISTS exempt@'%%' IDENTIFIED BY 'Exempt-1'")
    new.query("GRANT ALL ON *.* TO exempt@'%%'")
    new.query(f"GRANT {right} ON *.* TO exempt@'%%'")
    connections.settings[alias].update(USER="exempt", PASSWORD="Exempt-1")
    with servers():
        lead_to_new()
        new.query("SET GLOBAL read_only = 1")
        try:
            run(alias, INSERT, [alias])
            close_old_connections()
            run(alias, INSERT, [alias])
            session = one(alias, "SELECT CONNECTION_ID()")
            proxy.clear()
            said = cause(lambda: run(alias, "SELECT 1 INTO OUTFILE '/nowhere/at/all'"))
            sent = len(proxy.commands)
            close_old_connections()
            run(alias, INSERT, [alias])
            return said, sent, one(alias, "SELECT CONNECTION_ID()") == session
        finally:
            new.query("SET GLOBAL read_only = 0")


@check
def session_that_chose_it(alias: str) -> Any:
    """1792 in a transaction that its author made read only."""
    with servers():
        run(alias, INSERT, [alias])

        def block() -> None:
            connections[alias].set_autocommit(False)
            try:
                run(alias, "SET TRANSACTION READ ONLY")
                run(alias, INSERT, [alias])
            finally:
                connections[alias].rollback()
                connections[alias].set_autocommit(True)

        return cause(block), outcome(lambda: run(alias, INSERT, [alias]))


def any_server(alias: str) -> Any:
    """A replica on purpose: the refusal is the caller's at once, and the session stays."""
    with servers():
        run(alias, INSERT, [alias])
        session = one(alias, "SELECT CONNECTION_ID()")
        lock_old()
        lead_to_new()
        said = cause(lambda: run(alias, INSERT, [alias]))
        return said, one(alias, "SELECT CONNECTION_ID()") == session


def main() -> None:
    global proxy, new
    create_table()
    name = SETUP["database"]["NAME"]
    with (
        start(SETUP["server"]["flavour"], {"secure_file_priv": "/"}) as new,
        WireProxy(SETUP["server"]["host"], SETUP["server"]["port"]) as proxy,
    ):
        new.create_database(name)
        [[_, made]] = admin("SHOW CREATE TABLE row_written")
        new.query(made.replace("CREATE TABLE `", f"CREATE TABLE {name}.`"))
        report = check.report(PORT=proxy.port)
        only = Checks()
        only(any_server)
        options = {"lifeline": {"target": "any"}}
        report["any"] = only.report(PORT=proxy.port, OPTIONS=options)["lifeline"]["any_server"]
        say({**report, "ports": [SETUP["server"]["port"], new.port]})


if __name__ == "__main__":
    main()
