"""What the pool may rely on, whichever driver the connection is of."""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import Any

import pytest
from tests.fixtures.drivers import (
    MULTI_STATEMENTS,
    eventually,
    module,
    opener,
    params,
    session_ends,
    sessions,
)

from django_lifeline.core.drivers import driver_for
from django_lifeline.core.drivers.base import ends_exchange
from django_lifeline.exceptions import PacketTooLarge
from django_lifeline.testing import FakeConnection
from lifeline_lab.servers import Server

Open = Callable[..., Any]

# 60 GB of rows: nobody reads them to the end.
ENDLESS = "SELECT REPEAT('x', 60000) FROM " + ", ".join(
    f"(SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) t{n}" for n in range(10)
)


@pytest.fixture
def connect(server: Server, driver: str) -> Iterator[Open]:
    """``connect(transport="plain", **params)``: a connection to the shared server."""
    with ExitStack() as stack:
        # MySQL wants the first login of an account encrypted, or by a key exchange.
        opener(server, driver, stack)("unix")
        yield opener(server, driver, stack)


@pytest.fixture
def connection(connect: Open) -> Any:
    """One plaintext connection."""
    return connect()


@pytest.fixture
def errors(driver: str) -> Any:
    """The driver's own module, for its error classes."""
    return importlib.import_module({"mysqlclient": "MySQLdb", "pymysql": "pymysql"}[driver])


@pytest.fixture
def streaming(driver: str) -> Any:
    """The driver's class of cursors that leave the rows at the server."""
    names = {"mysqlclient": "MySQLdb.cursors", "pymysql": "pymysql.cursors"}
    return importlib.import_module(names[driver]).SSCursor


class Interrupted(BaseException):
    """What breaks into an exchange in these tests."""


# Life and death.


def test_new_connection_is_alive_and_idle(connection: Any) -> None:
    assert connection.alive() is True
    assert not connection.busy
    assert not connection.closed
    assert connection.run("SELECT CONNECTION_ID()") == [(connection.server_thread_id,)]


def test_connection_is_of_the_drivers_own_class(connection: Any, driver: str) -> None:
    stock = {"mysqlclient": "MySQLdb.connections", "pymysql": "pymysql.connections"}[driver]
    assert isinstance(connection, importlib.import_module(stock).Connection)


def test_version_is_the_servers(connection: Any, server: Server) -> None:
    assert connection.server_version.startswith(server.version)
    assert ("MariaDB" in connection.server_version) == (server.flavour == "mariadb")


def test_password_is_in_no_repr(connection: Any, server: Server) -> None:
    assert server.password not in repr(connection)


def test_closed_connection_is_dead_and_may_be_closed_again(connection: Any) -> None:
    connection.close()
    connection.close()
    connection.discard()
    assert connection.closed
    assert connection.alive() is False


def test_discarded_connection_is_dead_and_its_session_ends(connection: Any, server: Server) -> None:
    connection.discard()
    connection.discard()
    connection.close()
    assert connection.closed
    assert connection.alive() is False
    session_ends(server, connection.server_thread_id)


def test_dropped_connection_ends_without_the_garbage_collector(server: Server, driver: str) -> None:
    gc.disable()
    try:
        connection = module(driver).connect(params(server, driver, "unix"))
        connection.run("SELECT 1")
        number = connection.server_thread_id
        del connection
        session_ends(server, number)
    finally:
        gc.enable()


def test_fake_connection_ends_as_a_real_one_does() -> None:
    for end in ("close", "discard"):
        fake = FakeConnection()
        assert fake.alive() and not fake.busy
        for _ in range(2):
            getattr(fake, end)()
        assert fake.alive() is False


def test_closing_a_killed_connection_raises_nothing(connection: Any, server: Server) -> None:
    server.query(f"KILL {connection.server_thread_id}")
    eventually(lambda: not connection.alive())
    connection.close()
    assert connection.closed


def test_closing_after_a_loss_raises_nothing(connection: Any, server: Server, errors: Any) -> None:
    server.query(f"KILL {connection.server_thread_id}")
    eventually(lambda: not connection.alive())
    with pytest.raises(errors.OperationalError):
        connection.run("SELECT 1")
    connection.close()
    connection.close()


# The exchange.


def test_read_answer_leaves_the_connection_idle(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT 1 UNION SELECT 2")
    assert not connection.busy
    assert cursor.fetchall() == ((1,), (2,))


@pytest.mark.parametrize("command", ["commit", "rollback", "begin", "ping", "show_warnings"])
def test_simple_command_leaves_the_connection_idle(connection: Any, command: str) -> None:
    getattr(connection, command)()
    assert not connection.busy
    assert connection.run("SELECT 1") == [(1,)]


def test_autocommit_is_on_and_can_be_switched(connection: Any) -> None:
    assert connection.run("SELECT @@autocommit") == [(1,)]
    connection.autocommit(False)
    assert connection.run("SELECT @@autocommit") == [(0,)]
    connection.autocommit(True)
    assert connection.get_autocommit()
    assert not connection.busy


def test_servers_error_ends_the_exchange(connection: Any, errors: Any) -> None:
    with pytest.raises(errors.ProgrammingError) as wrong:
        connection.cursor().execute("SELEKT 1")
    assert wrong.value.args[0] == 1064
    assert not connection.busy
    assert connection.run("SELECT 1") == [(1,)]


def test_error_while_the_rows_are_made_ends_the_exchange(connection: Any, errors: Any) -> None:
    with pytest.raises(errors.Error) as wrong:
        connection.cursor().execute("SELECT (SELECT 1 UNION SELECT 2)")
    assert wrong.value.args[0] == 1242
    assert not connection.busy
    assert connection.run("SELECT 1") == [(1,)]


def test_arguments_that_do_not_fit_send_nothing(connection: Any, errors: Any) -> None:
    with pytest.raises((errors.ProgrammingError, TypeError)):
        connection.cursor().execute("SELECT %s, %s", (1,))
    with pytest.raises(UnicodeEncodeError):
        connection.cursor().execute("SELECT %s", ("\ud800",))
    assert not connection.busy
    assert connection.run("SELECT 1") == [(1,)]


def test_streamed_rows_keep_the_connection_busy_until_the_last(
    connection: Any, streaming: Any
) -> None:
    cursor = connection.cursor(streaming)
    cursor.execute("SELECT 1 UNION SELECT 2")
    for row in (1, 2):
        assert connection.busy
        assert connection.alive()
        assert cursor.fetchone() == (row,)
    assert cursor.fetchone() is None
    assert not connection.busy
    assert connection.run("SELECT 3") == [(3,)]


def test_closing_the_cursor_ends_a_stream(connection: Any, streaming: Any) -> None:
    cursor = connection.cursor(streaming)
    cursor.execute("SELECT 1 UNION SELECT 2")
    cursor.fetchone()
    cursor.close()
    assert not connection.busy
    assert connection.run("SELECT 3") == [(3,)]


@pytest.mark.parametrize("fetch", ["fetchall", "fetchmany"])
def test_taking_all_rows_ends_a_stream(connection: Any, streaming: Any, fetch: str) -> None:
    cursor = connection.cursor(streaming)
    cursor.execute("SELECT 1 UNION SELECT 2")
    cursor.arraysize = 5
    assert list(getattr(cursor, fetch)()) == [(1,), (2,)]
    assert not connection.busy


def test_discarding_a_connection_that_streams_does_not_read_the_rest(
    connection: Any, streaming: Any, server: Server
) -> None:
    cursor = connection.cursor(streaming)
    cursor.execute(ENDLESS)
    cursor.fetchone()
    connection.discard()
    session_ends(server, connection.server_thread_id)


def test_further_results_keep_the_connection_busy(connect: Open) -> None:
    connection = connect(client_flag=MULTI_STATEMENTS)
    cursor = connection.cursor()
    cursor.execute("SELECT 1; SELECT 2; DO 0")
    assert connection.busy
    assert cursor.nextset()
    assert connection.busy
    assert cursor.fetchall() == ((2,),)
    cursor.nextset()
    assert not cursor.nextset()
    assert not connection.busy


def test_closing_the_cursor_reads_further_results(connect: Open) -> None:
    connection = connect(client_flag=MULTI_STATEMENTS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1; SELECT 2; SELECT 3")
    assert not connection.busy
    assert connection.run("SELECT 4") == [(4,)]


def test_error_in_a_further_result_ends_the_exchange(connect: Open, errors: Any) -> None:
    connection = connect(client_flag=MULTI_STATEMENTS)
    with pytest.raises(errors.ProgrammingError):
        connection.run("SELECT 1; SELEKT 2; SELECT 3")
    assert not connection.busy
    assert connection.run("SELECT 4") == [(4,)]


def test_run_returns_the_rows_of_the_last_result_that_has_rows(connect: Open) -> None:
    connection = connect(client_flag=MULTI_STATEMENTS)
    assert connection.run("SET @a = 5; SELECT 1; SELECT @a, 'x'; DO 0") == [(5, "x")]
    assert connection.run("DO 0") == []
    assert not connection.busy


def test_last_size_is_the_commands(connection: Any) -> None:
    connection.run("SELECT 1")
    assert connection.last_size == 1 + len("SELECT 1")


# Interruption.


@contextmanager
def alarm(error: BaseException) -> Iterator[None]:
    """Let a signal's handler raise *error* a moment later."""

    def handler(number: int, frame: FrameType | None) -> None:
        raise error

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_signal_handler_that_raises_leaves_the_connection_busy(connection: Any) -> None:
    with alarm(Interrupted()), pytest.raises(Interrupted):
        connection.cursor().execute("SELECT SLEEP(0.2), 'mine'")
    assert_never_lent(connection)


def test_async_exception_leaves_the_connection_busy(connection: Any, server: Server) -> None:
    started = threading.Event()
    seen: list[type[BaseException]] = []

    def work() -> None:
        try:
            started.set()
            connection.cursor().execute("SELECT SLEEP(0.3), 'mine'")
        except Interrupted as error:
            seen.append(type(error))

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    eventually(lambda: sessions(server)[connection.server_thread_id] == "Query")
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Interrupted)
    )
    thread.join()
    assert seen == [Interrupted]
    assert_never_lent(connection)


@pytest.mark.parametrize("kind", ["buffered", "streamed", "several", "commit"])
def test_interruption_at_any_line_never_lets_an_answer_be_taken_for_another(
    connect: Open, streaming: Any, kind: str
) -> None:
    """At each line that the driver runs: afterwards it is busy, or closed, or in step."""

    def exchange() -> None:
        if kind == "commit":
            connection.commit()
            return
        cursor.execute("SELECT 1; SELECT 2" if kind == "several" else "SELECT 1 UNION SELECT 2")
        cursor.fetchone()
        cursor.close()

    lines = broken = 0
    connection = connect(client_flag=MULTI_STATEMENTS)
    while True:
        cursor = connection.cursor(streaming if kind == "streamed" else None)
        if not interrupted_at(lines, exchange):
            break
        lines += 1
        with suppress(Exception):
            cursor.close()  # as a ``with`` block does on the way out
        if connection.busy or connection.closed:
            broken += 1
            # Else it would pass for one whose rows are merely unread, and be asked for them.
            assert connection.broken or connection.closed or kind in ("streamed", "several")
            connection.discard()
            connection = connect(client_flag=MULTI_STATEMENTS)
        else:
            assert connection.run("SELECT 'right'") == [("right",)]
    assert lines > 5
    assert broken > 2


@pytest.mark.parametrize("kind", ["buffered", "query", "streamed", "several", "commit"])
def test_connection_ended_by_another_thread_at_any_line_raises_the_drivers_error(
    connect: Open, streaming: Any, errors: Any, kind: str
) -> None:
    """As two threads do to each other that share one: the second is refused, and discards it."""

    def exchange() -> None:
        if kind == "commit":
            connection.commit()
        elif kind == "query":
            connection.run("SELECT 1")
        else:
            cursor.execute("SELECT 1; SELECT 2" if kind == "several" else "SELECT 1 UNION SELECT 2")
            cursor.fetchone()
            cursor.close()

    lines = refused = 0
    while True:
        connection = connect(client_flag=MULTI_STATEMENTS)
        cursor = connection.cursor(streaming if kind == "streamed" else None)
        before = lines
        try:
            lines += interrupted_at(lines, exchange, connection.discard)
        except errors.Error as error:
            lines += 1
            refused += 1
            assert isinstance(error.args[0], int), (error, lines)
        if lines == before:
            break
        assert connection.closed
        assert not connection.alive()
    assert lines > 5
    assert refused > 2


@pytest.mark.parametrize("now", ["nothing", "another file"])
@pytest.mark.parametrize("step", ["exchange", "query", "commit"])
def test_descriptor_closed_by_the_application_raises_the_drivers_error(
    connection: Any, errors: Any, now: str, step: str
) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if now == "nothing":
        os.close(connection.fd)
    else:
        os.dup2(null, connection.fd)
    os.close(null)
    given = {"exchange": [b"SELECT 1"], "query": ["SELECT 1"], "commit": []}[step]
    with pytest.raises(errors.OperationalError) as lost:
        getattr(connection, step)(*given)
    assert lost.value.args[0] in (2006, 2013)
    assert_never_lent(connection)


@pytest.mark.parametrize("error", [AttributeError("late"), ValueError("late")])
def test_error_of_a_signal_handler_stays_itself(connection: Any, error: Exception) -> None:
    with alarm(error), pytest.raises(type(error)) as raised:
        connection.cursor().execute("SELECT SLEEP(0.2)")
    assert raised.value is error
    assert_never_lent(connection)


@pytest.mark.parametrize("end", ["close", "discard"])
def test_interrupted_connection_ends_without_raising(connection: Any, end: str) -> None:
    connection._begin(1)
    getattr(connection, end)()
    assert connection.closed


def test_interrupted_connection_refuses_the_next_statement(connection: Any, errors: Any) -> None:
    connection._begin(1)
    with pytest.raises(errors.ProgrammingError) as refused:
        connection.run("SELECT 1")
    assert refused.value.args[0] == 2014


def test_shutdown_from_another_thread_ends_a_running_statement(
    connection: Any, server: Server, errors: Any
) -> None:
    def cut() -> None:
        eventually(lambda: sessions(server)[connection.server_thread_id] == "Query")
        assert connection.thread_id() == connection.server_thread_id
        assert connection.fileno() == connection.fd
        connection.channel.shutdown()

    thread = threading.Thread(target=cut)
    thread.start()
    with pytest.raises(errors.OperationalError) as lost:
        connection.run("SELECT SLEEP(20)")
    thread.join()
    assert lost.value.args[0] == 2013
    assert connection.busy


def test_killed_statement_leaves_the_connection_unfit(
    connection: Any, server: Server, errors: Any
) -> None:
    def kill() -> None:
        eventually(lambda: sessions(server)[connection.server_thread_id] == "Query")
        server.query(f"KILL {connection.server_thread_id}")

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(errors.OperationalError):
        connection.run("SELECT SLEEP(20)")
    thread.join()
    assert connection.busy


# The packet guard.


def test_statement_that_is_too_long_is_not_sent(connect: Open) -> None:
    connection = connect()
    connection.max_packet = 1000
    fits = "SELECT '" + "x" * (1000 - 1 - len("SELECT ''")) + "'"
    assert len(connection.run(fits)[0][0]) == 990
    with pytest.raises(PacketTooLarge) as refused:
        connection.cursor().execute(fits + " ")
    assert refused.value.args[0] == 1153
    assert "1001" in str(refused.value) and "1000" in str(refused.value)
    assert "xxx" not in str(refused.value)
    assert not connection.busy
    assert connection.run("SELECT 1") == [(1,)]


def test_length_counts_bytes_not_characters(connect: Open) -> None:
    connection = connect()
    connection.max_packet = 100
    with pytest.raises(PacketTooLarge):
        connection.run("SELECT '" + "é" * 60 + "'")
    assert connection.run("SELECT '" + "e" * 60 + "'") == [("e" * 60,)]


@pytest.mark.parametrize("word", ["é", "é" * 560])
def test_batch_is_split_by_what_the_server_takes(connect: Open, word: str) -> None:
    connection = connect(database="mysql")
    connection.run("CREATE TEMPORARY TABLE batch (number INT, word TEXT)")
    connection.max_packet = 1200  # what is longer by a byte would be refused
    cursor = connection.cursor()
    for spaces in range(12):
        connection.run("TRUNCATE batch")
        rows = [(number, word) for number in range(100)]
        statement = "INSERT INTO batch VALUES " + " " * spaces + "(%s, %s)"
        assert cursor.executemany(statement, rows) == 100
        assert connection.run("SELECT COUNT(*), COUNT(DISTINCT number) FROM batch") == [(100, 100)]


@pytest.mark.parametrize(("limit", "in_force"), [(0, 100), (100_000, 100), (60, 59)])
def test_batch_keeps_a_smaller_limit_of_the_applications(
    connect: Open, limit: int, in_force: int
) -> None:
    connection = connect(database="mysql")
    connection.run("CREATE TEMPORARY TABLE batch (number INT)")
    cursor = connection.cursor()
    cursor.max_stmt_length, connection.max_packet = 100, limit
    assert cursor.executemany("INSERT INTO batch VALUES (%s)", [[7]] * 50) == 50
    assert cursor.max_stmt_length == in_force


# Opening and resetting.


def test_callers_parameters_stay_as_they_are(server: Server, driver: str) -> None:
    given = params(server, driver, "unix")
    copy = dict(given)
    module(driver).connect(given).close()
    assert given == copy


def test_opening_assignments_are_in_force(connect: Open) -> None:
    connection = connect(opening_sets="@@session.sql_mode = 'ANSI', @mine = 5")
    assert connection.run("SELECT @@sql_mode LIKE '%ANSI%', @mine") == [(1, 5)]


def test_opening_assignments_may_depend_on_the_version(connect: Open) -> None:
    connection = connect(opening_sets=lambda version: f"@version = '{version}'")
    assert connection.run("SELECT @version") == [(connection.server_version,)]


def test_collation_is_the_chosen_one(connect: Open) -> None:
    connection = connect(collation="utf8mb4_bin", opening_sets="@mine = 5")
    wanted = [("utf8mb4", "utf8mb4_bin", 5)]
    assert connection.run("SELECT @@character_set_client, @@collation_connection, @mine") == wanted


def test_bytes_are_quoted_by_the_driver(connect: Open, errors: Any) -> None:
    conv = dict(importlib.import_module(f"{errors.__name__}.converters").conversions)
    conv[bytes] = bytes
    assert bytes not in connect(conv=conv).encoders


def test_reset_session_is_as_new(connect: Open, database: str) -> None:
    connection = connect(database=database, opening_sets="@@session.sql_mode = 'ANSI'")
    question = "SELECT DATABASE(), @mine, @@sql_mode, @@autocommit, @@collation_connection"
    new = connection.run(question)
    connection.run("CREATE TEMPORARY TABLE t (a INT)")
    for dirt in ("@mine = 1", "sql_mode = ''", "autocommit = 0", "NAMES latin1"):
        connection.run(f"SET {dirt}")
    connection.run("USE information_schema")
    assert connection.run(question) != new
    assert connection.reset_session() is True
    assert connection.run(question) == new
    assert connection.run("SHOW TABLES") == []
    assert not connection.busy and connection.alive()


def test_reset_session_is_in_autocommit_mode_though_the_driver_was_told_otherwise(
    connect: Open, database: str
) -> None:
    connection = connect(database=database)
    connection.autocommit(False)
    connection.run("SET autocommit = 1")
    assert connection.reset_session() is True
    assert connection.run("SELECT @@autocommit") == [(1,)]
    assert connection.flags()[0] is True


def test_session_that_cannot_be_reset_says_so(connect: Open, server: Server) -> None:
    assert connect().reset_session() is False, "USE cannot be undone without a database"
    connection = connect(database="information_schema")
    server.query(f"KILL {connection.server_thread_id}")
    assert connection.reset_session() is False


def test_ping_says_whether_the_server_answers(connection: Any, server: Server) -> None:
    assert connection.ping_within(5) is True
    assert connection.alive()
    server.query(f"KILL {connection.server_thread_id}")
    assert connection.ping_within(5) is False


def test_both_drivers_live_in_one_process(server: Server) -> None:
    with ExitStack() as stack:
        both = [opener(server, driver, stack)("unix") for driver in ("mysqlclient", "pymysql")]
        assert [connection.run("SELECT 1") for connection in both] == [[(1,)], [(1,)]]


def test_module_is_chosen_by_what_django_imports() -> None:
    import MySQLdb
    import pymysql

    assert driver_for(MySQLdb).__name__ == "django_lifeline.core.drivers.mysqldb"
    assert driver_for(pymysql).__name__ == "django_lifeline.core.drivers.pymysql"


@pytest.mark.parametrize("code", [0, 2006, 2013, 2014, 5014, 1053, 1153, 1927, 3169, 4031, "text"])
def test_loss_does_not_end_an_exchange(code: object) -> None:
    assert not ends_exchange(Exception(code, "text"))
    assert not ends_exchange(Exception())


@pytest.mark.parametrize("code", [1062, 1064, 1205, 1213, 3024, 4025])
def test_servers_answer_ends_an_exchange(code: int) -> None:
    assert ends_exchange(Exception(code, "text"))


def assert_never_lent(connection: Any) -> None:
    """The connection says that it is unfit, and ends without a word."""
    assert connection.busy or connection.closed
    connection.close()
    assert connection.closed
    assert not connection.alive()


def interrupt() -> None:
    raise Interrupted


def interrupted_at(
    line: int, act: Callable[[], object], strike: Callable[[], object] = interrupt
) -> bool:
    """Strike before that line (counted from 0) inside the drivers' code; whether it came to it."""
    seen = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal seen
        name = frame.f_globals.get("__name__", "")
        drivers = name.startswith(("MySQLdb", "pymysql", "django_lifeline.core.drivers"))
        # What is raised in a finalizer is printed and goes nowhere.
        if not drivers or frame.f_code.co_name == "__del__":
            return None
        if event == "line":
            seen += 1
            if seen == line + 1:
                sys.settrace(None)
                strike()
        return trace

    before = sys.gettrace()
    gc.disable()  # somebody else's finalizers are not to be traced
    sys.settrace(trace)
    try:
        act()
    except Interrupted:
        pass
    finally:
        sys.settrace(before)
        gc.enable()
    return seen > line


# The cursor that does the driver's steps in one place.

STATEMENTS: list[tuple[str, Any, Any]] = [
    ("execute", "SELECT 1, 'x', NULL", None),
    ("execute", "SELECT %s, %s, HEX(%s)", ["a'b", 3, b"bytes \xff"]),
    ("execute", "SELECT %(one)s, '%%'", {"one": "ü"}),
    ("execute", b"SELECT 'bytes'", None),
    ("execute", "SELECT '100%'", None),
    ("execute", "CREATE TEMPORARY TABLE kept (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT)", None),
    ("execute", "INSERT INTO kept (t) VALUES (%s), (%s)", ("one", "two")),
    ("executemany", "INSERT INTO kept (t) VALUES (%s)", [("three",), ("four",)]),
    ("executemany", "UPDATE kept SET t = %s WHERE id = %s", [("drei", 3), ("vier", 4)]),
    ("execute", "SELECT id, t FROM kept ORDER BY id", None),
    ("execute", "SELECT id FROM kept WHERE id > %s", (100,)),
    ("execute", "UPDATE kept SET t = 'all'", ()),
    ("execute", "SELECT CAST('abc' AS SIGNED)", None),  # with a warning
    ("execute", "SELEKT", None),
    ("execute", "SELECT %s, %s", ("one is missing",)),
    ("execute", "SELECT no_such_column", None),
    ("execute", "SELECT 1; SELECT 2, 3", None),
    ("nextset", None, None),
    ("nextset", None, None),
    ("execute", "SELECT 'left'; SELECT 'unread'", None),
    ("execute", "SELECT 'after what was left unread'", None),
]


def seen(cursor: Any, method: str, arguments: list[Any], names: set[str]) -> list[Any]:
    """What one call returned or raised, and what the cursor holds and gives afterwards."""
    try:
        outcome = getattr(cursor, method)(*arguments)
    except Exception as error:
        outcome = type(error), error.args
    state = {name: getattr(cursor, name) for name in names}
    rows = list(cursor.fetchall()) if cursor.description else []
    return [method, arguments, outcome, state, rows, cursor.rownumber]


def test_our_cursor_does_what_the_drivers_own_does(connect: Open, errors: Any) -> None:
    more = {"client_flag": MULTI_STATEMENTS, "database": "mysql"}
    ours, theirs = connect(**more), connect(**more)
    cursor = ours.cursor()
    own = importlib.import_module(f"{errors.__name__}.cursors").Cursor
    # PyMySQL before 1.2 keeps its own steps.
    assert (type(cursor).execute is not own.execute) == hasattr(own, "_mogrify")
    peer = theirs.cursor(own)
    for method, query, args in STATEMENTS:
        arguments = [] if query is None else [query, args]
        names = {*vars(peer)} - {"connection", "_result"}  # objects of each connection's own
        assert seen(cursor, method, arguments, names) == seen(peer, method, arguments, names)
        assert ours.busy == theirs.busy
    assert not ours.busy


def test_closed_cursor_refuses_as_the_drivers_own_does(connect: Open, errors: Any) -> None:
    cursor = connect().cursor()
    cursor.close()
    with pytest.raises(errors.ProgrammingError, match="(?i)cursor closed"):
        cursor.execute("SELECT 1")


def test_chosen_cursor_class_is_used(connect: Open, errors: Any) -> None:
    chosen = importlib.import_module(f"{errors.__name__}.cursors").DictCursor
    cursor = connect(cursorclass=chosen).cursor()
    cursor.execute("SELECT 1 AS one")
    assert (type(cursor), cursor.fetchone()) == (chosen, {"one": 1})
