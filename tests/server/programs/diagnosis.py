"""Makes connections end in many ways, on a server of its own; tells what each was called."""

from __future__ import annotations

import contextlib
import importlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
from django.db import Error, connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.server.programs.toolbox import (
    create_table,
    database,
    forget,
    in_thread,
    kill,
    one,
    run,
    say,
    session_id,
    wait_gone,
    wait_running,
    wait_until,
)

from django_lifeline import signals
from django_lifeline.diagnosis.model import Diagnosis
from django_lifeline.diagnosis.recent import recent
from lifeline_lab.servers import Server, start
from lifeline_lab.wire import WireProxy

INSERT = "INSERT INTO row_written (tag, number) VALUES ('x', 1)"
SLEEP = "SELECT SLEEP(20)"
ASLEEP = """
    SELECT id FROM information_schema.processlist
    WHERE info LIKE '%SLEEP(20)%' AND id <> CONNECTION_ID()
"""

heard: list[tuple[bool, Diagnosis]] = []
report: dict[str, Any] = {}
server: Server
proxy: WireProxy


def listen(sender: Any, diagnosis: Diagnosis, **kwargs: Any) -> None:
    heard.append((sender.__name__ == "Restored", diagnosis))


def told(name: str, cause: Callable[[str], Any], **settings: Any) -> None:
    """Let something happen to an alias of its own; record its error and what was heard."""
    alias = database(name, "lifeline", **settings)
    heard.clear()
    error: BaseException | None = None
    try:
        cause(alias)
    except BaseException as raised:
        error = raised
    diagnosis = getattr(error, "diagnosis", None)
    report[name] = {
        "error": None if error is None else f"{type(error).__name__} {error.args[:1]}",
        "notes": getattr(error, "__notes__", []),
        "diagnosis": None if diagnosis is None else diagnosis.as_dict(),
        "heard": [{"healed": healed, **each.as_dict()} for healed, each in heard],
    }
    with contextlib.suppress(Exception):
        one(alias, "SELECT 7")
    forget(alias)


@contextlib.contextmanager
def meanwhile(call: Callable[[], Any]) -> Iterator[None]:
    with in_thread(call):
        yield


def idle_then(alias: str, act: Callable[[int], Any]) -> None:
    session = session_id(alias)
    act(session)
    one(alias, "SELECT 7")


def in_pool_then(alias: str, act: Callable[[int], Any]) -> None:
    """Something happens to a connection that nobody holds."""
    session = session_id(alias)
    connections[alias].close()
    act(session)
    one(alias, "SELECT 7")


def kill_while(sql: str, alias: str) -> None:
    session_id(alias)
    with meanwhile(lambda: kill(wait_running(sql))):
        run(alias, sql)


def cut(action: str) -> Callable[[int], Any]:
    return lambda session: proxy.cut(action=action)  # type: ignore[arg-type]


def restart(session: int) -> None:
    server.kill()
    server.start_again()


def crash_during_a_write(alias: str) -> None:
    session_id(alias)
    with meanwhile(lambda: (wait_running("SLEEP(20)"), server.kill())):
        try:
            run(alias, "INSERT INTO row_written (tag, number) SELECT 'x', SLEEP(20)")
        finally:
            server.start_again()


def interrupted(alias: str) -> None:
    def strike(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    session_id(alias)
    before = signal.signal(signal.SIGUSR1, strike)
    main = threading.main_thread().ident
    assert main is not None

    def send() -> None:
        wait_running("SLEEP(20)")
        signal.pthread_kill(main, signal.SIGUSR1)
        with contextlib.suppress(Exception):
            # MySQLdb waits in C: the handler runs once the server answers.
            kill(wait_running("SLEEP(20)"))

    try:
        with meanwhile(send):
            run(alias, SLEEP)
    finally:
        signal.signal(signal.SIGUSR1, before)


def two_threads(alias: str) -> None:
    session_id(alias)
    wrapper = connections[alias]
    wrapper.inc_thread_sharing()

    def other() -> None:
        wait_running("SLEEP(20)")
        with contextlib.suppress(Error), wrapper.cursor() as cursor:
            cursor.execute("SELECT 1")

    with meanwhile(other):
        run(alias, SLEEP)


def slow_reader(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT REPEAT('x', 1000000) FROM seq")
        cursor.fetchone()
        session = connections[alias]._hold.connection.server_thread_id
        wait_gone({session})
        cursor.fetchall()


def unread(alias: str) -> None:
    connection = connections[alias].connection or connections[alias].cursor().db.connection
    cursor = connection.cursor(streaming())
    cursor.execute("SELECT 1 FROM seq")
    cursor.fetchone()
    del cursor
    one(alias, "SELECT 7")


def count_up() -> None:
    """Let the server's numbers of sessions be higher than any that it gives after a restart.

    A lower number is what tells a restart; whoever waits for the server takes some, too.
    """
    for _ in range(300):
        _session().close()


def streaming() -> Any:
    module = "pymysql" if SETUP["driver"] == "pymysql" else "MySQLdb"
    return importlib.import_module(f"{module}.cursors").SSCursor


def full(alias: str) -> None:
    # What earlier incidents left asleep would make room at a time of its own.
    kill(*(each for (each,) in admin(ASLEEP)))
    admin("SET GLOBAL max_connections = 10")
    taken = []
    try:
        with contextlib.suppress(pymysql.OperationalError):
            while True:
                taken.append(_session())
        one(alias, "SELECT 7")
    finally:
        for each in taken:
            each.close()
        wait_until(_has_room_again)


def _has_room_again() -> bool:
    try:
        admin("SET GLOBAL max_connections = 100")
    except pymysql.OperationalError:
        return False
    return True


def _session() -> Any:
    # Without TLS, whose handshake would take most of the time.
    return pymysql.connect(
        unix_socket=server.socket, user=server.user, password=server.password, ssl_disabled=True
    )


def exhausted(alias: str) -> None:
    with transaction.atomic(alias):
        one(alias, "SELECT 7")
        with in_thread(lambda: _error(lambda: one(alias, "SELECT 7"))) as results:
            pass
    if isinstance(results[0], BaseException):
        raise results[0]


def _error(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Error as error:
        return error


def read_only(alias: str) -> None:
    admin("SET GLOBAL read_only = ON")
    try:
        run(alias, INSERT)
    finally:
        admin("SET GLOBAL read_only = OFF")


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def all_incidents() -> None:
    # Kept beyond the server's limit: by default the pool would have renewed it in time.
    kept = {"max_idle": 60, "max_lifetime": 60}
    for_all = {"OPTIONS": {"init_command": "SET SESSION wait_timeout=1", "pool": kept}}
    told("idle_timeout", lambda a: idle_then(a, lambda s: wait_gone({s})), **for_all)
    known = {"OPTIONS": {"init_command": "SET SESSION wait_timeout=1"}}
    told("idle_timeout_past_max_idle", lambda a: idle_then(a, lambda s: wait_gone({s})), **known)
    own = "SET SESSION wait_timeout = 1"
    told("idle_timeout_own", lambda a: (run(a, own), idle_then(a, lambda s: wait_gone({s}))))
    told("killed", lambda a: idle_then(a, kill))
    told("killed_in_pool", lambda a: in_pool_then(a, kill))
    told("cut_in_pool", lambda a: in_pool_then(a, cut("rst")), PORT=proxy.port)
    told("killed_in_flight", lambda a: kill_while("DO SLEEP(20)", a))
    told("network_cut_fin", lambda a: idle_then(a, cut("fin")), PORT=proxy.port)
    told("network_cut_rst", lambda a: idle_then(a, cut("rst")), PORT=proxy.port)
    told("driver_closed", lambda a: idle_then(a, lambda s: connections[a].connection.close()))
    told("interrupted", interrupted)
    told("two_threads", two_threads)
    told("unread", unread)
    slow = {"cursorclass": streaming(), "init_command": "SET SESSION net_write_timeout=1"}
    told("slow_reader", slow_reader, OPTIONS=slow)
    told("read_timeout", lambda a: run(a, SLEEP), OPTIONS={"read_timeout": 1})
    told("packet", lambda a: run(a, "SELECT %s", ["x" * (70 << 20)]))
    told("full", full, OPTIONS={"lifeline": {"full_server_timeout": 0.2}})
    told("exhausted", exhausted, OPTIONS={"pool": {"max_size": 1, "timeout": 0.1}})
    told("read_only", read_only)
    told("restarted", lambda a: (count_up(), idle_then(a, restart)))
    told("restarted_in_pool", lambda a: (count_up(), in_pool_then(a, restart)))
    told("crashed_in_flight", crash_during_a_write)
    told("unreachable", lambda a: one(a, "SELECT 1"), PORT=1)


def main() -> None:
    global server, proxy
    server = start(SETUP["server"]["flavour"])
    signals.connection_lost.connect(listen)
    signals.connection_restored.connect(listen)
    records = Records()
    logging.getLogger("django_lifeline").addHandler(records)
    logging.getLogger("django_lifeline").setLevel(logging.INFO)
    with server, WireProxy(server.host, server.port, tls=True) as proxy:
        server.create_database(SETUP["database"]["NAME"])
        database("default", "stock", PORT=server.port)
        SETUP["server"]["socket"] = server.socket
        create_table()
        admin("CREATE TABLE seq (n INT)")
        admin("INSERT INTO seq VALUES (1),(2),(3),(4),(5),(6),(7),(8)")
        admin("INSERT INTO seq SELECT a.n FROM seq a, seq b")
        all_incidents()
    report["logged"] = [
        {"cause": record.cause, "level": record.levelname, "healed": record.healed}  # type: ignore[attr-defined]
        for record in records.records
        if hasattr(record, "cause")
    ]
    report["counted"] = [[each.cause, each.healed, each.times] for each in recent.counts()]
    say(report)


if __name__ == "__main__":
    main()
