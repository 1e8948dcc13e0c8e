"""Every way to begin a statement, after every way to lose the connection before it.

Each entry runs in a thread with a connection of its own: it sets up, the connection is lost, and
it goes on.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Generator
from typing import Any

from django.db import Error, connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.server.programs.toolbox import (
    ENGINES,
    Row,
    create_table,
    cut_descriptor,
    database,
    forget,
    kill,
    one,
    outcome,
    run,
    say,
    session_id,
    stored,
    told,
    wait_gone,
)

from lifeline_lab.servers import start
from lifeline_lab.wire import WireProxy

Entry = Generator[None, None, Any]
INSERT = "INSERT INTO row_written (tag, number) VALUES (%s, 1)"


def plain_select(alias: str, tag: str) -> Entry:
    yield
    return one(alias, "SELECT 7")


def plain_insert(alias: str, tag: str) -> Entry:
    yield
    run(alias, INSERT, [tag])


def cursor_kept_open(alias: str, tag: str) -> Entry:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchall()
        yield
        cursor.execute(INSERT, [tag])


def executemany(alias: str, tag: str) -> Entry:
    yield
    with connections[alias].cursor() as cursor:
        cursor.executemany(INSERT, [[tag], [tag]])


def callproc(alias: str, tag: str) -> Entry:
    yield
    with connections[alias].cursor() as cursor:
        cursor.callproc("write_row", [tag])


def atomic(alias: str, tag: str) -> Entry:
    yield
    with transaction.atomic(alias):
        run(alias, INSERT, [tag])


def nested_atomic(alias: str, tag: str) -> Entry:
    yield
    with transaction.atomic(alias, durable=True), transaction.atomic(alias):
        Row.objects.using(alias).create(tag=tag)


def atomic_entered_before(alias: str, tag: str) -> Entry:
    with transaction.atomic(alias):
        yield
        run(alias, INSERT, [tag])


def manual_transaction(alias: str, tag: str) -> Entry:
    yield
    transaction.set_autocommit(False, alias)
    run(alias, INSERT, [tag])
    transaction.commit(alias)
    transaction.set_autocommit(True, alias)


def save(alias: str, tag: str) -> Entry:
    row = Row.objects.using(alias).create(tag="before")
    yield
    row.tag = tag
    row.save()


def get_or_create(alias: str, tag: str) -> Entry:
    yield
    Row.objects.using(alias).get_or_create(tag=tag)


def update_or_create(alias: str, tag: str) -> Entry:
    yield
    Row.objects.using(alias).update_or_create(tag=tag, defaults={"number": 2})


def bulk_create(alias: str, tag: str) -> Entry:
    yield
    Row.objects.using(alias).bulk_create([Row(tag=tag), Row(tag=tag), Row(tag=tag)], batch_size=2)


def update_and_delete(alias: str, tag: str) -> Entry:
    Row.objects.using(alias).create(tag=tag)
    Row.objects.using(alias).create(tag=f"{tag} too many")
    yield
    Row.objects.using(alias).filter(tag=f"{tag} too many").delete()
    Row.objects.using(alias).filter(tag=tag).update(number=5)


def lazy_rows(alias: str, tag: str) -> Entry:
    rows = Row.objects.using(alias).filter(tag="nobody wrote this")
    yield
    return len(list(rows.iterator(chunk_size=10)))


def temporary_connection(alias: str, tag: str) -> Entry:
    yield
    with connections[alias].temporary_connection() as cursor:
        cursor.execute(INSERT, [tag])


def introspection(alias: str, tag: str) -> Entry:
    yield
    return "row_written" in connections[alias].introspection.table_names()


def commit_hook(alias: str, tag: str) -> Entry:
    yield
    with transaction.atomic(alias):
        run(alias, INSERT, [tag])
        transaction.on_commit(lambda: run(alias, INSERT, [tag]), using=alias)


ENTRIES: dict[Callable[[str, str], Entry], int] = {
    plain_select: 0,
    plain_insert: 1,
    cursor_kept_open: 1,
    executemany: 2,
    callproc: 1,
    atomic: 1,
    nested_atomic: 1,
    atomic_entered_before: 1,
    manual_transaction: 1,
    save: 1,
    get_or_create: 1,
    update_or_create: 1,
    bulk_create: 3,
    update_and_delete: 1,
    lazy_rows: 0,
    temporary_connection: 1,
    introspection: 0,
    commit_hook: 2,
}
"""How many rows each is to leave."""


class Runner(threading.Thread):
    """One entry in one thread, which waits in the middle for the loss."""

    def __init__(self, entry: Callable[[str, str], Entry], alias: str, tag: str) -> None:
        super().__init__()
        self.entry, self.alias, self.tag = entry, alias, tag
        self.ready = threading.Event()
        self.go = threading.Event()
        self.session = 0
        self.outcome = ""
        self.break_first: Callable[[str], None] | None = None

    def run(self) -> None:
        steps = self.entry(self.alias, self.tag)
        try:
            # A round trip of its own first: entering atomic need not have made one.
            self.session = session_id(self.alias)
            next(steps)
            self.ready.set()
            self.go.wait()
            if self.break_first is not None:
                self.break_first(self.alias)
            self.outcome = "ok"
            next(steps)
        except StopIteration:
            pass
        except Error as error:
            self.outcome = told(error)
        except Exception:
            self.outcome = traceback.format_exc()
        finally:
            self.ready.set()
            steps.close()
            forget(self.alias)


class Crowd:
    """All entries of one engine before one loss, and this thread's own connection."""

    def __init__(self, engine: str, loss: str, settings: dict[str, Any]) -> None:
        self.alias = database(f"{engine} {loss}", engine, **settings)
        self.local = LOCAL.get(loss)
        self.runners = {
            entry.__name__: Runner(entry, self.alias, f"{loss} {engine} {entry.__name__}")
            for entry in ENTRIES
        }
        self.session = session_id(self.alias)
        for runner in self.runners.values():
            runner.break_first = self.local
            runner.start()

    def sessions(self) -> set[int]:
        for runner in self.runners.values():
            runner.ready.wait()
        return {self.session, *(runner.session for runner in self.runners.values())}

    def go_on(self) -> dict[str, Any]:
        for runner in self.runners.values():
            runner.go.set()
        for runner in self.runners.values():
            runner.join()
        if self.local is not None:
            self.local(self.alias)
        said = {name: runner.outcome for name, runner in self.runners.items()}
        said["main_thread"] = outcome(lambda: one(self.alias, "SELECT 7"))
        forget(self.alias)
        rows = {name: stored(runner.tag) for name, runner in self.runners.items()}
        return {"said": said, "stored": rows}


def lose(loss: str, act: Callable[[set[int]], None], **settings: Any) -> Any:
    """Run all entries of both engines round one loss."""
    crowds = {engine: Crowd(engine, loss, settings) for engine in ENGINES}
    act(set().union(*(crowd.sessions() for crowd in crowds.values())))
    return {engine: crowd.go_on() for engine, crowd in crowds.items()}


LOCAL: dict[str, Callable[[str], None]] = {
    "driver_closed": lambda alias: connections[alias].connection.close(),
    "descriptor_shut_down": cut_descriptor,
}
"""Losses that each thread inflicts on its own connection."""


def expected() -> dict[str, int]:
    return {entry.__name__: count for entry, count in ENTRIES.items()}


def main() -> None:
    server = start(SETUP["server"]["flavour"])
    with server, WireProxy(server.host, server.port) as proxy:
        server.create_database(SETUP["database"]["NAME"])
        database("default", "stock", PORT=server.port)
        SETUP["server"]["socket"] = server.socket
        create_table()
        admin("CREATE PROCEDURE write_row(t VARCHAR(200))"
              " INSERT INTO row_written (tag, number) VALUES (t, 1)")  # fmt: skip
        report: dict[str, Any] = {"expected": expected()}
        impatient = {"init_command": "SET SESSION wait_timeout=1"}

        def restart(_: set[int]) -> None:
            server.stop()
            server.start_again()

        def crash(_: set[int]) -> None:
            server.kill()
            server.start_again()

        report |= {
            "killed": lose("killed", lambda ids: kill(*ids)),
            "idle_timeout": lose("idle_timeout", wait_gone, OPTIONS=impatient),
            "proxy_cut": lose("proxy_cut", lambda _: proxy.cut(), PORT=proxy.port),
            "driver_closed": lose("driver_closed", lambda _: None),
            "descriptor_shut_down": lose("descriptor_shut_down", lambda _: None),
            "restart": lose("restart", restart),
            "crash": lose("crash", crash),
        }
        alias = database("server away", "lifeline")
        session_id(alias)
        server.kill()
        report["while_away"] = outcome(lambda: one(alias, "SELECT 1"))
        server.start_again()
        report["back_again"] = one(alias, "SELECT 7")
        forget(alias)
    say(report)


if __name__ == "__main__":
    main()
