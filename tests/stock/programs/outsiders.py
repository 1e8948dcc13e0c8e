"""Short programs as people write them who know nothing of the engine; stock Django is the judge.

Each was once a difference that somebody found who had not seen the code.
"""

from __future__ import annotations

import gc
import logging
import threading
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import Error, close_old_connections, connections, models, transaction
from django.db.backends.mysql.base import CursorWrapper
from django.db.backends.signals import connection_created
from tests.fixtures.program_setup import admin
from tests.stock.programs.workshop import (
    DRIVER,
    FLAVOUR,
    LIFELINE,
    TABLE,
    Scenes,
    Wrapper,
    alias,
    close_all,
    forget,
    in_thread,
    kill,
    one,
    outcome,
    piece_of_work_ends,
    run,
    say,
    session_id,
    wait_until,
)

scene = Scenes()
INSERT = "INSERT INTO note (tag) VALUES (%s)"
cursors = __import__(f"{'pymysql' if DRIVER == 'pymysql' else 'MySQLdb'}.cursors", fromlist=["x"])


class Note(models.Model):
    """What is noted."""

    tag = models.CharField(max_length=99)

    class Meta:
        app_label = "outsiders"
        db_table = "note"
        managed = False


@scene
def tenant_is_named_before_a_job_begins() -> Any:
    name = alias()
    settings = connections[name].settings_dict
    home, other = settings["NAME"], f"{settings['NAME']}_other"
    admin(f"CREATE DATABASE IF NOT EXISTS {other}")
    admin(f"CREATE TABLE IF NOT EXISTS {other}.note LIKE {home}.note")
    admin(f"DELETE FROM {other}.note")
    said = []
    for number, tenant in enumerate((home, other, home, other)):
        settings["NAME"] = tenant
        close_old_connections()
        if number % 2:
            with transaction.atomic(name):
                run(name, INSERT, [f"tenant {number}"])
        else:
            Note.objects.using(name).create(tag=f"tenant {number}")
        said.append(one(name, "SELECT DATABASE()").removeprefix(home))
    stored = admin(f"SELECT tag FROM {other}.note WHERE tag LIKE 'tenant%' ORDER BY tag")
    settings["NAME"] = home
    piece_of_work_ends(name)
    admin(f"DROP DATABASE {other}")
    return [said, [row[0] for row in stored]]


def read_by(cursorclass: Any, **options: Any) -> list[Any]:
    name = alias(OPTIONS={"cursorclass": cursorclass, **options})
    for tag in "abc":
        run(name, INSERT, [tag])
    notes = Note.objects.using(name).filter(tag__in="abc").order_by("id")
    first = notes[0].pk

    def by_hand() -> Any:
        with connections[name].cursor() as cursor:
            cursor.execute("SELECT 1 UNION SELECT 2 UNION SELECT 3")
            rows = [cursor.fetchone(), cursor.fetchmany(2), cursor.fetchmany(2), cursor.fetchone()]
            return [*rows, cursor.fetchall(), list(cursor)]

    said = [
        outcome(lambda: [note.tag for note in notes][:3]),
        outcome(lambda: notes.get(pk=first).tag),
        outcome(lambda: list(notes.values_list("tag", flat=True))[:3]),
        outcome(lambda: notes.count() > 2),
        outcome(lambda: len(notes.in_bulk([first]))),
        outcome(lambda: [note.tag for note in notes.iterator(chunk_size=2)][:3]),
        outcome(by_hand),
        outcome(lambda: one(name, "SELECT 7")),
    ]
    with transaction.atomic(name):
        said.append(outcome(lambda: [note.tag for note in notes.select_for_update()][:3]))
    run(name, "DELETE FROM note WHERE tag IN ('a', 'b', 'c')")
    piece_of_work_ends(name)
    return said


@scene
def all_is_read_by_a_cursor_that_keeps_no_rows() -> Any:
    return read_by(cursors.SSCursor)


@scene
def all_is_read_without_a_pool_by_a_cursor_that_keeps_no_rows() -> Any:
    return read_by(cursors.SSCursor, **_unpooled())


def _unpooled() -> dict[str, Any]:
    return {"pool": False} if LIFELINE else {}


def far_away(value: int, mapping: Any) -> str:
    """Write every number as one that no row has."""
    return "999999999"


def seen_by_others(change: Any) -> Any:
    """What another thread's query answers after this one changed the driver's object and left."""
    name = alias()
    run(name, INSERT, ["changed"])
    piece_of_work_ends(name)

    def changing() -> None:
        connections[name].ensure_connection()
        change(connections[name].connection)
        run(name, "SELECT 1")
        connections[name].close()

    def asking() -> Any:
        notes = Note.objects.using(name).filter(tag="changed", id__gt=0)
        said = outcome(lambda: list(notes.values_list("tag", flat=True)))
        connections[name].close()
        return said

    in_thread(changing)
    said = [in_thread(asking), asking()]
    run(name, "DELETE FROM note WHERE tag = 'changed'")
    forget(name)
    return said


@scene
def another_kind_of_cursor_is_the_borrowers_own() -> Any:
    def change(raw: Any) -> None:
        raw.cursorclass = cursors.Cursor.__class__("Loud", (cursors.Cursor,), {"fetchmany": None})

    return seen_by_others(change)


@scene
def another_way_to_write_values_is_the_borrowers_own() -> Any:
    def change(raw: Any) -> None:
        raw.encoders = {**raw.encoders, int: far_away}

    return seen_by_others(change)


@scene
def ways_to_write_values_that_were_changed_in_place_are_the_borrowers_own() -> Any:
    return seen_by_others(lambda raw: raw.encoders.update({int: far_away}))


def ended_by_another(*, shared_first: bool) -> Any:
    """What becomes of a transaction when the thread that began it has ended."""
    name, shared = alias(), []

    def begin() -> None:
        wrapper = connections[name]
        if shared_first:
            wrapper.inc_thread_sharing()
        wrapper.set_autocommit(False)
        with wrapper.cursor() as cursor:
            cursor.execute(INSERT, ["shared"])
        if not shared_first:
            wrapper.inc_thread_sharing()
        shared.append(wrapper)

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    wrapper = shared[0]

    def go_on() -> Any:
        with wrapper.cursor() as cursor:
            cursor.execute(INSERT, ["shared"])
        wrapper.commit()
        wrapper.set_autocommit(True)
        wrapper.close()
        return one(name, "SELECT COUNT(*) FROM note WHERE tag = 'shared'")

    said = outcome(go_on)
    run(name, "DELETE FROM note WHERE tag = 'shared'")
    return said


@scene
def transaction_of_a_thread_that_ended_goes_on_where_the_wrapper_is_shared() -> Any:
    return ended_by_another(shared_first=True)


@scene
def transaction_goes_on_where_the_wrapper_was_shared_after_it_began() -> Any:
    return ended_by_another(shared_first=False)


def released(sql: str) -> Any:
    name = alias()
    said = []
    for fails in (False, True):

        def block(fails: bool = fails) -> None:
            with transaction.atomic(name):
                run(name, INSERT, ["before"])
                run(name, sql)
                run(name, INSERT, ["after"])
                if fails:
                    raise KeyError

        said.append("in error" if "Error" in str(outcome(block)) else "done")
        try:
            connections[name].close()
        except Exception as error:
            said.append(type(error).__name__)
    said.append(one(name, "SELECT COUNT(*) FROM note WHERE tag = 'before'"))
    said.append(one(name, "SELECT COUNT(*) FROM note WHERE tag = 'after'"))
    run(name, "DELETE FROM note WHERE tag IN ('before', 'after')")
    return said


@scene
def block_does_not_go_on_after_its_session_was_released() -> Any:
    return released("COMMIT RELEASE")


@scene
def block_does_not_go_on_after_its_session_was_released_and_undone() -> Any:
    return released("ROLLBACK RELEASE")


@scene
def lock_that_a_new_table_is_made_with_ends_with_the_work() -> Any:
    name = alias()
    run(name, "CREATE TABLE made AS SELECT GET_LOCK('made', 0) AS got")
    connections[name].close()
    wait_until(lambda: admin("SELECT IS_FREE_LOCK('made')")[0][0], "for the lock")
    run(name, "DROP TABLE made")
    return "free"


def heard(raising: str, wrapper: Any = Wrapper, **settings: Any) -> list[Any]:
    """What is answered, and how often it was called, where *raising* fails on new connections."""
    calls: list[str] = []

    def fails(**told: Any) -> None:
        if told["connection"].alias == name:
            calls.append(raising)
            raise KeyError(raising)

    class Failing(wrapper):  # type: ignore[misc]
        def init_connection_state(self) -> None:
            super().init_connection_state()
            if raising == "init_connection_state":
                fails(connection=self)

    name = alias(Failing, **settings)
    if raising == "connection_created":
        connection_created.connect(fails)
    asks: list[Callable[[], Any]] = [
        lambda: connections[name].ensure_connection(),
        lambda: connections[name].cursor() and None,
        lambda: one(name, "SELECT 1"),
        lambda: Note.objects.using(name).filter(tag="").count(),
        lambda: connections[name].get_autocommit(),
        lambda: transaction.atomic(name).__enter__(),
    ]
    said: list[Any] = []
    for ask in asks:
        calls.clear()
        said.append([outcome(ask), outcome(ask), outcome(lambda: one(name, "SELECT 3"))])
        said.append([len(calls), connections[name].in_atomic_block])
        connections[name].in_atomic_block = False
        connections[name].close()
    connection_created.disconnect(fails)
    forget(name)
    return said


@scene
def receiver_that_fails_on_a_new_connection_is_called_once() -> Any:
    return heard("connection_created", CONN_MAX_AGE=None)


@scene
def receiver_that_fails_is_called_once_without_autocommit() -> Any:
    return heard("connection_created", AUTOCOMMIT=False)


@scene
def init_connection_state_that_fails_is_called_once() -> Any:
    return heard("init_connection_state")


@scene
def statement_after_a_receiver_failed_meets_what_it_left() -> Any:
    name, calls = alias(), []

    def fails(**told: Any) -> None:
        calls.append(run(name, "SET @mine = 7"))
        run(name, "SELECT nothing_there")

    connection_created.connect(fails)
    said = [outcome(lambda: one(name, "SELECT @mine")) for _ in range(2)]
    connection_created.disconnect(fails)
    piece_of_work_ends(name)
    said += [in_thread(lambda: one(name, "SELECT @mine")), len(calls)]
    connections[name].close()
    return said


@scene
def all_texts_are_asked_for_as_bytes() -> Any:
    name = alias(OPTIONS={"use_unicode": False})
    said = [outcome(lambda: one(name, "SELECT 5")) for _ in range(3)]
    return [*said, outcome(lambda: Note.objects.using(name).filter(tag="").count())]


def traced(call: Callable[[], Any]) -> Any:
    """The error of *call*, and whether the driver's one is its cause, as Django promises."""
    try:
        return call()
    except Error as error:
        below = error.__cause__
        drivers = isinstance(below, connections["default"].Database.Error)
        same = drivers and below.args[0] == error.args[0]
        return ["lost", f"the driver's is its cause: {drivers}", f"with its number: {same}"]


def unsent(*, at_its_end: bool) -> list[Any]:
    """What a block meets whose session was ended before the driver could send anything."""
    name = alias()
    said: list[Any] = []

    def block() -> None:
        with transaction.atomic(name):
            run(name, INSERT, ["unsent"])
            kill(session_id(name))
            if not at_its_end:
                said.append(traced(lambda: one(name, "SELECT 1")))
                said.append(traced(lambda: one(name, "SELECT 1")))

    said.append(traced(block))
    close_all()
    return [*said, one(name, "SELECT COUNT(*) FROM note WHERE tag = 'unsent'")]


@scene
def loss_before_a_statement_has_the_drivers_error_for_its_cause() -> Any:
    return unsent(at_its_end=False)


@scene
def loss_before_commit_has_the_drivers_error_for_its_cause() -> Any:
    return unsent(at_its_end=True)


@scene
def loss_of_a_lock_has_the_drivers_error_for_its_cause() -> Any:
    name = alias()
    run(name, "SELECT GET_LOCK('traced', 0)")
    kill(session_id(name))
    return traced(lambda: one(name, "SELECT 1"))


def beside_rows(use: Callable[[str, Any, Any], Any], *, block: bool, first: bool) -> list[Any]:
    """What statements meet while a driver's own cursor has rows that nobody has read."""
    name = alias()
    several = "SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4"
    run(name, "DELETE FROM note WHERE tag IN ('beside', 'later')")
    said: list[Any] = []

    def work() -> None:
        if first:
            run(name, INSERT, ["beside"])
        raw = connections[name].connection
        if not first:
            run(name, INSERT, ["beside"])
        cursor = raw.cursor(cursors.SSCursor)
        cursor.execute(several)
        said.append(cursor.fetchone())
        said.append(outcome(partial(use, name, raw, cursor)))
        del cursor
        gc.collect()
        said.append(outcome(lambda: run(name, INSERT, ["later"])))

    def in_block() -> None:
        with transaction.atomic(name):
            work()

    connections[name].ensure_connection()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        said.append(outcome(in_block if block else work))
    said.append(sorted({str(each.message) for each in told if each.category is UserWarning}))
    close_all()
    said.append(one(name, "SELECT COUNT(*) FROM note WHERE tag = 'beside'"))
    return [*said, one(name, "SELECT COUNT(*) FROM note WHERE tag = 'later'")]


def everywhere(use: Callable[[str, Any, Any], Any]) -> list[Any]:
    return [
        beside_rows(use, block=block, first=first) for block in (False, True) for first in (0, 1)
    ]


@scene
def rows_of_the_drivers_cursor_are_left_beside_a_statement() -> Any:
    return everywhere(lambda name, raw, cursor: one(name, "SELECT 5"))


@scene
def rows_of_the_drivers_cursor_are_dropped_with_it() -> Any:
    return everywhere(lambda name, raw, cursor: None)


@scene
def rows_of_the_drivers_cursor_are_left_beside_a_block() -> Any:
    def use(name: str, raw: Any, cursor: Any) -> Any:
        with transaction.atomic(name):
            return one(name, "SELECT 6")

    return everywhere(use)


@scene
def rows_of_the_drivers_cursor_are_closed_beside_a_statement() -> Any:
    def use(name: str, raw: Any, cursor: Any) -> Any:
        said = outcome(lambda: one(name, "SELECT 5"))
        outcome(cursor.close)
        return [said, outcome(lambda: one(name, "SELECT 7"))]

    return everywhere(use)


@scene
def rows_of_the_drivers_cursor_are_left_beside_the_drivers_statement() -> Any:
    def use(name: str, raw: Any, cursor: Any) -> Any:
        other = raw.cursor()
        other.execute("SELECT 8")
        return other.fetchall()

    return everywhere(use)


@scene
def block_ends_while_the_drivers_cursor_has_rows() -> Any:
    name = alias()

    def block() -> None:
        with transaction.atomic(name):
            run(name, INSERT, ["unread"])
            cursor = connections[name].connection.cursor(cursors.SSCursor)
            cursor.execute("SELECT 1 UNION SELECT 2")
            kept.append(cursor)

    kept: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = [outcome(block), outcome(lambda: one(name, "SELECT 3"))]
    kept.clear()
    close_all()
    return [*said, one(name, "SELECT COUNT(*) FROM note WHERE tag = 'unread'")]


def asking(kind: Any) -> Any:
    """A class of cursors that asks its connection about each row, as one for other types does."""

    class Asking(kind):  # type: ignore[misc]
        def _told(self, row: Any) -> Any:
            assert self.connection.thread_id() > 0
            return row

        def fetchone(self) -> Any:
            row = super().fetchone()
            return row and self._told(row)

        def fetchmany(self, size: Any = None) -> Any:
            return [self._told(row) for row in super().fetchmany(size)]

        def fetchall(self) -> Any:
            return [self._told(row) for row in super().fetchall()]

        def nextset(self) -> Any:
            self.connection.thread_id()
            return super().nextset()

        def __iter__(self) -> Any:
            self.connection.thread_id()
            return (self._told(row) for row in super().fetchall())

        def asked(self, prefix: str, *, suffix: str = "") -> str:
            return f"{prefix} {self.connection.thread_id() > 0} {suffix}"

        @property
        def live(self) -> bool:
            return self.connection.thread_id() > 0

    return Asking


def read_by_asking(name: str) -> list[Any]:
    several = "SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4"
    run("default", "INSERT INTO note (tag) VALUES ('asked')")
    said: list[Any] = []

    def reads(use: Callable[[Any], Any]) -> Any:
        def read() -> Any:
            with connections[name].cursor() as cursor:
                cursor.execute(several)
                said.append(outcome(partial(use, cursor)))
                said.append([cursor.rowcount, cursor.lastrowid])

        return read

    uses: list[Callable[[Any], Any]] = [
        lambda cursor: cursor.fetchmany(2),
        lambda cursor: cursor.fetchmany(size=1),
        lambda cursor: [cursor.fetchmany(2), cursor.fetchall(), cursor.fetchall()],
        lambda cursor: list(cursor),
        lambda cursor: [cursor.nextset(), cursor.fetchall()],
        lambda cursor: cursor.asked("a", suffix="b"),
        lambda cursor: cursor.live,
        lambda cursor: cursor.mogrify("SELECT %s", ["x"]),
        lambda cursor: cursor.mogrify("SELECT %s", ["x"]) and cursor.fetchall(),
    ]
    for use in uses:
        said.append(outcome(reads(use)))
        with transaction.atomic(name):
            said.append(outcome(reads(use)))
    said.append(outcome(lambda: Note.objects.using(name).filter(tag="asked").exists()))
    run("default", "DELETE FROM note WHERE tag = 'asked'")
    return said


@scene
def rows_are_read_by_a_cursor_that_asks_its_connection() -> Any:
    return read_by_asking(alias(OPTIONS={"cursorclass": asking(cursors.Cursor)}))


@scene
def rows_are_read_one_by_one_by_a_cursor_that_asks_its_connection() -> Any:
    return read_by_asking(alias(OPTIONS={"cursorclass": asking(cursors.SSCursor)}))


@scene
def rows_are_read_by_an_engines_cursor_that_asks_its_connection() -> Any:
    kind = asking(cursors.Cursor)

    class Engine(Wrapper):  # type: ignore[misc]
        def create_cursor(self, name: str | None = None) -> Any:
            return CursorWrapper(self.connection.cursor(kind))

    return read_by_asking(alias(Engine))


@scene
def rows_are_read_by_an_engines_proxy_that_asks_the_connection() -> Any:
    class Proxy:
        def __init__(self, cursor: Any) -> None:
            self.cursor = cursor

        def __getattr__(self, name: str) -> Any:
            return getattr(self.cursor, name)

        def __iter__(self) -> Any:
            return iter(self.cursor)

        def fetchall(self) -> Any:
            return [self.cursor.connection.thread_id() > 0, self.cursor.fetchall()]

    class Engine(Wrapper):  # type: ignore[misc]
        def create_cursor(self, name: str | None = None) -> Any:
            return Proxy(self.connection.cursor())

    return read_by_asking(alias(Engine))[:10]


@scene
def rows_that_were_read_are_there_after_their_connection_for_one_that_asks() -> Any:
    name = alias(OPTIONS={"cursorclass": asking(cursors.Cursor)})
    said: list[Any] = []
    for end in (lambda: connections[name].close(), lambda: kill(session_id(name))):
        for block in (False, True):
            with connections[name].cursor() as cursor:
                if block:
                    connections[name].set_autocommit(False)
                cursor.execute("SELECT 1 UNION SELECT 2")
                end()
                said.append(outcome(cursor.fetchall) if LIFELINE else "rows")
                said[-1] = "rows" if isinstance(said[-1], list) else said[-1]
            outcome(connections[name].rollback)
            close_all()
    return said


READ_ONLY = [
    "SET SESSION TRANSACTION READ ONLY",
    "SET TRANSACTION READ ONLY",
    "START TRANSACTION READ ONLY",
    "SET SESSION transaction_read_only = 1"
    if FLAVOUR == "mysql"
    else "SET SESSION tx_read_only = 1",
]
LEVEL = "transaction_isolation" if FLAVOUR == "mysql" else "tx_isolation"


def chosen(sql: str, *, inside: bool) -> list[Any]:
    """What a write meets in a session that its author told to read only, and what is said of it."""
    name = alias()
    told: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.levelname)

    def work() -> Any:
        if inside:
            with transaction.atomic(name):
                run(name, sql)
                return run(name, INSERT, ["read only"])
        run(name, sql)
        return run(name, INSERT, ["read only"])

    listener = Listener(logging.WARNING)
    logging.getLogger("django_lifeline").addHandler(listener)
    try:
        said = [outcome(work)]
    finally:
        logging.getLogger("django_lifeline").removeHandler(listener)
    outcome(connections[name].close)
    run("default", "DELETE FROM note WHERE tag = 'read only'")
    return [*said, told]


@scene
def session_that_reads_only_by_choice_is_not_called_a_replica() -> Any:
    return [chosen(sql, inside=False) for sql in READ_ONLY]


@scene
def block_that_reads_only_by_choice_is_not_called_a_replica() -> Any:
    return [chosen(sql, inside=True) for sql in READ_ONLY]


@scene
def level_that_a_block_begins_with_is_its_own() -> Any:
    name = alias()
    choices = ["SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"]
    choices += [f"SET SESSION {LEVEL} = 'READ-UNCOMMITTED'"]
    counted = "SELECT COUNT(*) FROM note WHERE tag = 'dirty'"
    said: list[Any] = []
    for choice in choices:
        with transaction.atomic():
            with transaction.atomic(name):
                run(name, choice)
                before = one(name, counted)
                run("default", INSERT, ["dirty"])
                said.append([before, one(name, counted)])
            transaction.set_rollback(True)
        connections[name].close()
    return said


WARNED, FAILED = "SELECT CAST('another''s' AS SIGNED)", "SELECT anothers_column"
COMPLAINTS = ["SHOW WARNINGS", "SHOW ERRORS", "SELECT @@warning_count, @@error_count"]
COMPLAINTS += ["SHOW COUNT(*) WARNINGS", "SELECT 1 AS `one`, @@warning_count"]


def after_another(statement: str, first: Callable[[str], Any], question: str) -> Any:
    """What a thread is told that asks in a session in which another one's statement ran before."""
    name = alias()

    def other() -> None:
        outcome(lambda: run(name, statement))
        connections[name].close()

    def asks() -> Any:
        first(name)
        said = outcome(lambda: run(name, question))
        connections[name].in_atomic_block = False
        connections[name].close()
        return said

    in_thread(other)
    said = in_thread(asks)
    forget(name)
    return said


@scene
def warnings_and_errors_of_another_are_not_told() -> Any:
    firsts: list[Callable[[str], Any]] = [
        lambda name: None,
        lambda name: run(name, "SELECT 1"),
        lambda name: run(name, "SELECT COUNT(*) FROM note"),
        lambda name: run(name, "SELECT CAST('mine' AS SIGNED)"),
        lambda name: outcome(lambda: run(name, "SELECT my_column")),
        lambda name: transaction.atomic(name).__enter__(),
    ]
    return [
        after_another(statement, first, question)
        for statement in (WARNED, FAILED)
        for first in firsts
        for question in COMPLAINTS
    ]


@scene
def warnings_of_a_transaction_are_its_authors() -> Any:
    def first(name: str) -> None:
        transaction.atomic(name).__enter__()
        run(name, "SELECT CAST('mine' AS SIGNED)")
        run(name, "SELECT 1")

    return [after_another(WARNED, first, question) for question in COMPLAINTS]


def next_work(age: int | None) -> list[Any]:
    """What the next piece of work is told of the last statement of the one before."""
    name = alias(CONN_MAX_AGE=age)
    run(name, INSERT, ["next"])
    asked = [
        ("UPDATE note SET tag = 'nexts' WHERE tag = 'next'", "SELECT ROW_COUNT()"),
        (INSERT % "'next'", "SELECT LAST_INSERT_ID() > 0"),
        ("SELECT 1", "SELECT ROW_COUNT()"),
        *((statement, question) for statement in (WARNED, FAILED) for question in COMPLAINTS[:4]),
    ]
    said: list[Any] = []
    for statement, question in asked:
        outcome(partial(run, name, statement))
        close_old_connections()
        said.append(outcome(partial(run, name, question)))
    run(name, "DELETE FROM note WHERE tag IN ('next', 'nexts')")
    connections[name].close()
    forget(name)
    return said


@scene
def next_piece_of_work_with_the_same_connection_may_ask() -> Any:
    return [next_work(None), next_work(600)]


@scene
def next_piece_of_work_with_a_connection_of_its_own_is_told_nothing() -> Any:
    return next_work(0)


def beside_another(first: Callable[[str], Any], ask: Callable[[str, Any], Any]) -> Any:
    """What the first of two threads is told that take turns; a pool has one connection for both."""
    name = alias(OPTIONS={"pool": {"max_size": 1}} if LIFELINE else {})
    turns = [threading.Semaphore(0) for _ in range(3)]
    said: list[Any] = []

    def author() -> None:
        mine = first(name)
        turns[0].release()
        turns[1].acquire()
        said.append(outcome(lambda: ask(name, mine)))
        connections[name].close()

    def other() -> None:
        turns[0].acquire()
        run(name, INSERT + ", ('twice')", ["other"])
        outcome(lambda: run(name, WARNED))
        turns[1].release()
        connections[name].close()

    threads = [threading.Thread(target=each) for each in (author, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run(name, "DELETE FROM note WHERE tag IN ('author', 'other', 'twice')")
    connections[name].close()
    forget(name)
    return said


def inserted(name: str) -> Any:
    with connections[name].cursor() as cursor:
        cursor.execute(INSERT, ["author"])
        return cursor.lastrowid


def raw_one(name: str, sql: str) -> Any:
    cursor = connections[name].connection.cursor()
    cursor.execute(sql)
    return cursor.fetchone()[0]


@scene
def driver_tells_the_author_of_his_own_last_statement() -> Any:
    asks: list[Callable[[str, Any], Any]] = [
        lambda name, mine: connections[name].connection.insert_id() == mine,
        lambda name, mine: connections[name].cursor().connection.insert_id() == mine,
        # Mysqlclient forgets it when a cursor is closed, with stock.
        lambda name, mine: connections[name].connection.affected_rows() in (1, -1),
        lambda name, mine: raw_one(name, "SELECT LAST_INSERT_ID()") == mine,
        lambda name, mine: len(connections[name].connection.show_warnings()),
    ]
    return [beside_another(inserted, ask) for ask in asks]


@scene
def driver_tells_a_new_borrower_of_no_statement_of_another() -> Any:
    asks: list[Callable[[str, Any], Any]] = [
        lambda name, mine: connections[name].connection.insert_id(),
        lambda name, mine: connections[name].cursor().connection.insert_id(),
        lambda name, mine: raw_one(name, "SELECT LAST_INSERT_ID()"),
        lambda name, mine: len(connections[name].connection.show_warnings()),
        lambda name, mine: connections[name].connection.affected_rows() == 2,
    ]
    asks = [partial(lambda ask, name, mine: [ensured(name), ask(name, mine)], ask) for ask in asks]
    return [beside_another(lambda name: None, ask) for ask in asks]


def ensured(name: str) -> None:
    connections[name].ensure_connection()


def stored(work: Callable[[str], Any], **settings: Any) -> list[Any]:
    """What is stored after a piece of work with a block, and what others may lock."""
    name = alias(**settings)
    admin("DELETE FROM note")
    said = [outcome(partial(work, name))]
    outcome(lambda: run(name, INSERT, ["after"]))
    connections[name].close()
    wait_until(lambda: outcome(lambda: admin("SELECT tag FROM note FOR UPDATE NOWAIT")))
    said += [tag for (tag,) in admin("SELECT tag FROM note ORDER BY tag")]
    forget(name)
    return said


def block(name: str, *statements: str, fails: bool = False) -> None:
    with transaction.atomic(name):
        for sql in statements:
            run(name, sql)
        if fails:
            raise ValueError


NOTED = "INSERT INTO note (tag) VALUES ('in the block')"
CHAINS = ("SET completion_type = 1", "SET @x = 2, completion_type = 'CHAIN'")


@scene
def work_after_a_block_is_stored_where_commit_chains() -> Any:
    by_itself = {"OPTIONS": {"init_command": CHAINS[0]}}
    said = [
        stored(lambda name: block(name, NOTED), **by_itself),
        stored(lambda name: block(name, NOTED, fails=True), **by_itself),
    ]
    for sql in CHAINS:
        for fails in (False, True):
            for statements in ((sql, NOTED), (NOTED, sql)):
                said.append(stored(lambda name: block(name, *statements, fails=fails)))  # noqa: B023
            said.append(
                stored(lambda name: (run(name, sql), block(name, NOTED, fails=fails)))  # noqa: B023
            )
    return said


BEGINNERS = (
    "SET SESSION autocommit = ON, @x = 1",
    "SET @x = 1, autocommit = 1",
    "SET @x = 1, @@session.autocommit = 0",
    "SET @x = 1",
    "SET @x = (SELECT 1), autocommit = 1",
)


@scene
def block_goes_on_after_autocommit_was_set_among_others() -> Any:
    first = "INSERT INTO note (tag) VALUES ('first')"
    return [
        stored(lambda name: block(name, *statements, fails=fails))  # noqa: B023
        for sql in BEGINNERS
        for fails in (False, True)
        for statements in ((sql, NOTED), (first, sql, NOTED))
    ]


@scene
def distributed_transaction_begins_in_a_block() -> Any:
    ends = (("XA END 'a'", "XA PREPARE 'a'", "XA ROLLBACK 'a'"), ("XA END 'a'", "XA ROLLBACK 'a'"))
    commits = ("XA END 'a'", "XA COMMIT 'a' ONE PHASE")
    said = []
    for end in (*ends, commits):
        statements = ("XA START 'a'", NOTED, *end)
        said.append(stored(lambda name: block(name, *statements)))  # noqa: B023
    return said


WITHOUT_TABLES = (
    "SELECT 1",
    "SELECT NOW(), DATABASE()",
    "SELECT 1 FROM DUAL",
    "SELECT GET_LOCK('a', 0)",
    "SELECT @@version",
    "EXPLAIN SELECT 1",
    "SHOW VARIABLES LIKE 'autocommit'",
    "SHOW PROCESSLIST",
    "SHOW WARNINGS",
    "SET time_zone = '+01:00'",
    "SET @x = 1",
    "DO 1",
    "SAVEPOINT a",
    "SELECT no_such_column",
    "SELECT",
)
WITH_TABLES = (
    "SELECT COUNT(*) FROM note",
    NOTED,
    "SELECT 1 FROM note AS a, note AS b",
)
BEFORE_IT_BEGINS = (
    ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",),
    ("SET TRANSACTION READ ONLY",),
    ("SET SESSION binlog_format = 'ROW'",),
    ("XA START 'a'", "XA END 'a'", "XA ROLLBACK 'a'"),
)


@scene
def transaction_is_chosen_after_something_else_in_a_block() -> Any:
    """Stock's transaction begins with the first table that it looks at."""

    def statements(name: str, first: str, *then: str) -> Any:
        with transaction.atomic(name):
            said = [outcome(lambda: run(name, first)) is not None]
            return said + [outcome(lambda sql=sql: run(name, sql)) for sql in then]

    told = {}
    for first in (*WITHOUT_TABLES, *WITH_TABLES):
        for then in BEFORE_IT_BEGINS:
            name = alias()
            told[f"{first}, {then[0]}"] = outcome(lambda: statements(name, first, *then))  # noqa: B023
            connections[name].close()
            forget(name)
    return told


@scene
def transaction_is_chosen_in_a_block_within() -> Any:
    def statements(name: str, *then: str) -> Any:
        with transaction.atomic(name):
            with transaction.atomic(name):
                said = [outcome(lambda sql=sql: run(name, sql)) for sql in then]
                run(name, NOTED)
            mine = transaction.savepoint(using=name)
            run(name, NOTED)
            transaction.savepoint_rollback(mine, using=name)
        return said

    return [
        stored(lambda name: outcome(lambda: statements(name, *then)))  # noqa: B023
        for then in BEFORE_IT_BEGINS
    ]


def dropped(kind: str, *, asks: bool, inside: bool, collect: bool) -> Any:
    options = {"cursorclass": getattr(cursors, kind)} if kind else {}
    name = alias(OPTIONS=options)
    run(name, "DROP PROCEDURE IF EXISTS pair")
    run(name, "CREATE PROCEDURE pair() BEGIN SELECT 1; SELECT 2; END")

    def work() -> Any:
        for _ in range(2):
            cursor = connections[name].cursor()
            if kind:
                cursor.execute("SELECT 1 UNION SELECT 2")
            else:
                cursor.callproc("pair")
            if asks:
                cursor.fetchone()
            del cursor
            if collect:
                gc.collect()
        return Note.objects.using(name).filter(tag="nobody's").count()

    def whole() -> Any:
        if not inside:
            return work()
        with transaction.atomic(name):
            return work()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyMySQL's, of the rows that are left
        said = [outcome(whole), outcome(work)]
    connections[name].close()
    forget(name)
    return said


@scene
def cursor_is_dropped_with_rows_or_results_to_come() -> Any:
    return [
        dropped(kind, asks=asks, inside=inside, collect=collect)
        for kind in ("", "SSCursor")
        for asks in (False, True)
        for inside in (False, True)
        for collect in (False, True)
    ]


run("default", TABLE)
run("default", "TRUNCATE note")
say(scene.report())
