"""Subclasses of the engine that change what it does, as projects and packages write them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import MySQLdb
from django.db import DatabaseError, IntegrityError, OperationalError, connections, transaction
from django.db.backends.base.base import RAN_DB_VERSION_CHECK
from django.db.backends.mysql.base import CursorWrapper as DriverCursorWrapper
from django.db.backends.mysql.base import django_conversions
from django.db.backends.mysql.creation import DatabaseCreation
from django.db.backends.mysql.features import DatabaseFeatures
from django.db.backends.mysql.introspection import DatabaseIntrospection
from django.db.backends.mysql.operations import DatabaseOperations
from django.db.backends.mysql.schema import DatabaseSchemaEditor
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from MySQLdb.constants import FIELD_TYPE
from tests.fixtures.program_setup import SETUP, admin
from tests.stock.programs.workshop import (
    FLAVOUR,
    LIFELINE,
    TABLE,
    Scenes,
    Wrapper,
    alias,
    in_thread,
    kill,
    one,
    outcome,
    piece_of_work_ends,
    run,
    say,
    session_id,
)

scene = Scenes()
INSERT = "INSERT INTO note (tag) VALUES (%s)"
VARIABLE = "SELECT @mark"
ISOLATION = f"SELECT @@session.{'tx' if FLAVOUR == 'mariadb' else 'transaction'}_isolation"
PERSISTENT: dict[str, Any] = {"CONN_MAX_AGE": None}
"""Where it is counted what happens, stock has to keep its connection as a pool does."""


def throughout(wrapper: Any, sql: str) -> list[Any]:
    """What a query says at first, in the next piece of work, after a close, and in a thread."""
    name = alias(wrapper)

    def once() -> Any:
        answer = outcome(lambda: one(name, sql))
        piece_of_work_ends(name)
        return answer

    said = [once(), once()]
    connections[name].close()
    said.append(once())
    with transaction.atomic(name):
        said.append(one(name, sql))
    piece_of_work_ends(name)
    return [*said, in_thread(once)]


def healed(wrapper: Any, sql: str) -> Any:
    """What a query says in the piece of work after the session was killed."""
    name = alias(wrapper)
    killed = session_id(name)
    piece_of_work_ends(name)
    if LIFELINE:  # whose pool keeps it
        kill(killed)
    return outcome(lambda: one(name, sql))


def stored(tag: str) -> int:
    """How many notes have this tag, seen by another session."""
    return int(run("default", "SELECT COUNT(*) FROM note WHERE tag = %s", [tag])[0][0])


@scene
def parameters_with_an_opening_statement() -> Any:
    class Own(Wrapper):
        def get_connection_params(self) -> Any:
            return {**super().get_connection_params(), "init_command": "SET @mark = 5"}

    return [throughout(Own, VARIABLE), healed(Own, VARIABLE)]


@scene
def parameters_of_a_whole_other_making() -> Any:
    class Own(Wrapper):
        def get_connection_params(self) -> Any:
            params = super().get_connection_params()
            kept = "user password host port database conv charset client_flag".split()
            return {name: params[name] for name in kept}

    return [throughout(Own, "SELECT 1"), healed(Own, "SELECT 1")]


@scene
def parameters_with_another_isolation_level() -> Any:
    class Own(Wrapper):
        def get_connection_params(self) -> Any:
            params = super().get_connection_params()
            self.isolation_level = "serializable"
            return params

    return throughout(Own, ISOLATION)


class Chosen:
    """What a thread's tenant asks of its connections, as its subclass of the engine finds it."""

    params: dict[str, Any] = {}
    level: str | None = None


class InParams(Wrapper):
    def get_connection_params(self) -> Any:
        params = super().get_connection_params()
        self.isolation_level = Chosen.level or self.isolation_level
        return {**params, **Chosen.params}


class InConnecting(Wrapper):
    def get_new_connection(self, conn_params: Any) -> Any:
        return super().get_new_connection({**conn_params, **Chosen.params})


ANOTHER = SETUP["database"]["NAME"][-25:] + "_chosen"
VARIED: dict[str, list[dict[str, Any]]] = {
    "database": [{"database": "information_schema"}, {"database": SETUP["database"]["NAME"]}],
    "user": [{"user": ANOTHER, "password": "another"}, {}],
    "init_command": [{"init_command": "SET @mark = 8"}, {"init_command": "SET @mark = 9"}, {}],
    "charset": [{"charset": "latin1"}, {}],
    "conv": [{"conv": {**django_conversions, FIELD_TYPE.DOUBLE: str}}, {}],
}
SEES = (
    "SELECT DATABASE() = 'information_schema', USER() LIKE '%_chosen@%', @mark, "
    "@@character_set_client, 1e0"
)


@contextmanager
def chosen(params: dict[str, Any], level: str | None = None) -> Iterator[None]:
    Chosen.params, Chosen.level = params, level
    try:
        yield
    finally:
        Chosen.params, Chosen.level = {}, None


@scene
def parameters_that_another_thread_chooses_otherwise() -> Any:
    """Nobody is lent a connection that was opened with another's parameters."""
    admin(f"CREATE USER '{ANOTHER}'@'%' IDENTIFIED BY 'another'")
    admin(f"GRANT ALL ON *.* TO '{ANOTHER}'@'%'")
    report: dict[str, Any] = {}
    try:
        for kind, age in itertools.product((InParams, InConnecting), (0, None)):
            name = alias(kind, CONN_MAX_AGE=age)
            for what, choices in VARIED.items():
                for how, call in (("threads", in_thread), ("pieces", lambda work: work())):
                    seen = report[f"{kind.__name__}, {what}, {how}, {age}"] = []
                    for params in [*choices, *choices]:
                        with chosen(params):
                            seen.append(call(partial(one_row, name)))
        return report
    finally:
        admin(f"DROP USER '{ANOTHER}'@'%'")


def one_row(name: str) -> Any:
    row = outcome(lambda: run(name, SEES))
    connections[name].close()
    return row


@scene
def isolation_level_that_another_thread_chooses_otherwise() -> Any:
    name = alias(InParams)
    levels = []
    for level in ("serializable", "read committed", "serializable", "repeatable read"):
        with chosen({}, level):
            levels.append(in_thread(lambda: run(name, ISOLATION)))
    return levels


@scene
def parameters_that_are_patched_for_a_while() -> Any:
    name = alias()
    wrapper, names = connections[name], []
    whole, here = wrapper.get_connection_params, {"database": "information_schema"}
    kind: Any = type(wrapper)

    def look() -> None:
        names.append(run(name, "SELECT DATABASE()"))
        connections[name].close()

    look()
    wrapper.get_connection_params = lambda: {**whole(), **here}
    look()
    del wrapper.get_connection_params
    look()
    with mock.patch.object(kind, "get_connection_params", lambda self: {**whole(), **here}):
        look()
    look()
    return [each[0][0] == "information_schema" for each in names]


@scene
def new_connection_is_marked() -> Any:
    class Own(Wrapper):
        def get_new_connection(self, conn_params: Any) -> Any:
            connection = super().get_new_connection(conn_params)
            with connection.cursor() as cursor:
                cursor.execute("SET @mark = 6")
            return connection

    return [throughout(Own, VARIABLE), healed(Own, VARIABLE)]


@scene
def new_connection_by_the_driver_alone() -> Any:
    class Own(Wrapper):
        def get_new_connection(self, conn_params: Any) -> Any:
            connection = MySQLdb.connect(**{**conn_params, "init_command": "SET @mark = 7"})
            connection.mark = "made here"
            return connection

    name = alias(Own)
    run(name, "SELECT 1")
    return [connections[name].connection.mark, throughout(Own, VARIABLE), healed(Own, VARIABLE)]


@scene
def new_connection_to_another_database() -> Any:
    class Own(Wrapper):
        def get_new_connection(self, conn_params: Any) -> Any:
            return super().get_new_connection({**conn_params, "database": "information_schema"})

    return [throughout(Own, "SELECT DATABASE()"), healed(Own, "SELECT DATABASE()")]


class Proxy:
    """Round an object of the driver's, as monitoring makes them; ``__wrapped__`` is that object."""

    def __init__(self, wrapped: Any, said: list[str]) -> None:
        self.__dict__.update(__wrapped__=wrapped, _said=said)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__wrapped__, name, value)


class Proxied(Proxy):
    """Round a connection."""

    def cursor(self, *args: Any, **named: Any) -> Any:
        self._said.append("cursor")
        return ProxiedCursor(self.__wrapped__.cursor(*args, **named), self._said)

    def commit(self) -> Any:
        self._said.append("commit")
        return self.__wrapped__.commit()

    def rollback(self) -> Any:
        self._said.append("rollback")
        return self.__wrapped__.rollback()

    def close(self) -> Any:
        self._said.append("close")
        return self.__wrapped__.close()


class ProxiedCursor(Proxy):
    """The cursor of such a connection."""

    def __iter__(self) -> Any:
        return iter(self.__wrapped__)

    def execute(self, query: Any, *args: Any) -> Any:
        text = query.decode() if isinstance(query, bytes) else query
        self._said.append(text.partition(" ")[0])
        return self.__wrapped__.execute(query, *args)

    def executemany(self, query: Any, args: Any) -> Any:
        self._said.append("many")
        return self.__wrapped__.executemany(query, args)


@scene
def new_connection_inside_a_proxy() -> Any:
    noted: list[str] = []

    class Own(Wrapper):
        def get_new_connection(self, conn_params: Any) -> Any:
            return Proxied(super().get_new_connection(conn_params), noted)

    name = alias(Own)
    run(name, "SELECT 1")
    noted.clear()
    run(name, "SELECT 1")
    with transaction.atomic(name):
        run(name, INSERT, ["proxy"])
    try:
        with transaction.atomic(name):
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    with connections[name].cursor() as cursor:
        cursor.executemany(INSERT, [["proxy"], ["proxy"]])
        cursor.execute("SELECT 1 UNION SELECT 2")
        rows = [*cursor]
    return [list(noted), rows, stored("proxy"), type(connections[name].connection).__name__]


@scene
def proxies_do_not_pile_up() -> Any:
    class Own(Wrapper):
        def get_new_connection(self, conn_params: Any) -> Any:
            return Proxied(super().get_new_connection(conn_params), [])

    name = alias(Own)
    for _ in range(20):
        run(name, "SELECT 1")
        piece_of_work_ends(name)
    run(name, "SELECT 1")
    found, depth = connections[name].connection, 0
    while isinstance(found, Proxied):
        found, depth = found.__wrapped__, depth + 1
    return depth


@scene
def connecting_is_refused_by_the_subclass() -> Any:
    class Own(Wrapper):
        def get_new_connection(self, conn_params: Any) -> Any:
            raise MySQLdb.OperationalError(1045, "not today")

    name = alias(Own)
    return [outcome(lambda: run(name, "SELECT 1")), outcome(lambda: run(name, "SELECT 1"))]


@scene
def session_gets_a_time_zone() -> Any:
    class Own(Wrapper):
        def init_connection_state(self) -> None:
            super().init_connection_state()
            with self.cursor() as cursor:
                cursor.execute("SET time_zone = '+05:30'")

    sql = "SELECT @@session.time_zone"
    return [throughout(Own, sql), healed(Own, sql)]


@scene
def session_gets_a_mode_before_the_rest() -> Any:
    class Own(Wrapper):
        def init_connection_state(self) -> None:
            mode = "ANSI_QUOTES" if self.mysql_is_mariadb else "ANSI_QUOTES,PIPES_AS_CONCAT"
            with self.cursor() as cursor:
                cursor.execute("SET sql_mode = %s", [mode])
            super().init_connection_state()

    sql = "SELECT @@session.sql_mode"
    return [throughout(Own, sql), healed(Own, sql)]


@scene
def session_without_djangos_settings() -> Any:
    class Own(Wrapper):
        def init_connection_state(self) -> None:
            pass

    return throughout(Own, ISOLATION)


@scene
def session_that_cannot_be_initialised() -> Any:
    class Own(Wrapper):
        def init_connection_state(self) -> None:
            super().init_connection_state()
            with self.cursor() as cursor:
                cursor.execute("SET no_such_variable = 1")

    name = alias(Own)
    return outcome(lambda: run(name, "SELECT 1"))


def counting(noted: list[Any], base: type = DriverCursorWrapper) -> type:
    """A cursor that counts, as exporters of metrics write it."""

    class Counting(base):  # type: ignore[misc, valid-type]
        def execute(self, *args: Any, **named: Any) -> Any:
            noted.append("execute")
            return super().execute(*args, **named)

        def executemany(self, query: Any, param_list: Any, *args: Any, **named: Any) -> Any:
            noted.append("executemany")
            return super().executemany(query, param_list, *args, **named)

    return Counting


def use(name: str) -> list[Any]:
    """Everything that a cursor is used for."""
    with connections[name].cursor() as cursor:
        cursor.execute("SELECT %s", [1])
        said = [cursor.fetchone()]
        cursor.executemany(INSERT, [["use"], ["use"]])
        said += [cursor.rowcount, cursor.lastrowid is not None]
        cursor.execute("SELECT 1 UNION SELECT 2")
        said += [cursor.fetchmany(1), [*cursor]]
    with transaction.atomic(name), transaction.atomic(name):
        said.append(run(name, INSERT, ["use"]))
    piece_of_work_ends(name)
    return said


@scene
def cursor_of_ones_own_over_the_connections() -> Any:
    noted: list[Any] = []

    class Own(Wrapper):
        def create_cursor(self, name: Any = None) -> Any:
            return counting(noted)(self.connection.cursor())

    name = alias(Own, **PERSISTENT)
    run(name, "SELECT 1")
    noted.clear()
    said = [use(name), use(name), list(noted)]
    return [*said, in_thread(lambda: use(name))]


@scene
def cursor_of_ones_own_in_each_piece_of_work() -> Any:
    """The wrapper has its connection whenever it is asked for a cursor."""
    noted: list[Any] = []

    class Own(Wrapper):
        def create_cursor(self, name: Any = None) -> Any:
            return counting(noted)(self.connection.cursor())

    name = alias(Own, CONN_MAX_AGE=0)
    return [use(name), use(name), in_thread(lambda: use(name)), "executemany" in noted]


@scene
def cursor_of_ones_own_over_the_engines() -> Any:
    noted: list[Any] = []

    class Own(Wrapper):
        def create_cursor(self, name: Any = None) -> Any:
            cursor = super().create_cursor(name)
            noted.append(isinstance(cursor, DriverCursorWrapper))
            return counting(noted)(cursor.cursor)

    name = alias(Own, **PERSISTENT)
    run(name, "SELECT 1")
    noted.clear()
    return [use(name), use(name), noted]


@scene
def cursor_that_gives_dictionaries() -> Any:
    class Own(Wrapper):
        def create_cursor(self, name: Any = None) -> Any:
            cursors = __import__(f"{MySQLdb.__name__}.cursors", fromlist=["DictCursor"])
            return DriverCursorWrapper(self.connection.cursor(cursors.DictCursor))

        def init_connection_state(self) -> None:
            pass

        mysql_server_data = {
            **Wrapper(connections["default"].settings_dict).mysql_server_data,
        }

    name = alias(Own)
    return [run(name, "SELECT 1 AS a"), run(name, "SELECT 1 AS a")]


@scene
def cursor_that_does_not_keep_its_rows() -> Any:
    class Own(Wrapper):
        def chunked_cursor(self) -> Any:
            cursors = __import__(f"{MySQLdb.__name__}.cursors", fromlist=["SSCursor"])
            self.ensure_connection()
            return self._prepare_cursor(
                DriverCursorWrapper(self.connection.cursor(cursors.SSCursor))
            )

    name = alias(Own)
    with connections[name].chunked_cursor() as cursor:
        cursor.execute("SELECT 1 UNION SELECT 2 UNION SELECT 3")
        said = [cursor.fetchone(), cursor.fetchmany(1)]
    return [*said, run(name, "SELECT 4")]


@scene
def application_cursor_of_ones_own() -> Any:
    noted: list[Any] = []

    class Loud(CursorWrapper):
        def execute(self, sql: Any, params: Any = None) -> Any:
            noted.append("execute")
            return super().execute(sql, params)

        def fetchone(self) -> Any:
            noted.append("fetchone")
            return self.cursor.fetchone()

    class Own(Wrapper):
        def make_cursor(self, cursor: Any) -> Any:
            return Loud(cursor, self)

    name = alias(Own, **PERSISTENT)
    run(name, "SELECT 1")
    noted.clear()
    said = [use(name), type(connections[name].cursor()).__name__]
    return [*said, noted]


@scene
def debug_cursor_of_ones_own() -> Any:
    class Loud(CursorDebugWrapper):
        def execute(self, sql: Any, params: Any = None) -> Any:
            self.db.queries_log.append({"sql": "before", "time": "0"})
            return super().execute(sql, params)

    class Own(Wrapper):
        queries_limit = 4

        def make_debug_cursor(self, cursor: Any) -> Any:
            return Loud(cursor, self)

    name = alias(Own)
    run(name, "SELECT 1")
    connections[name].force_debug_cursor = True
    for number in range(4):
        run(name, f"SELECT {number}")
    return [entry["sql"] for entry in connections[name].queries_log]


@scene
def cursors_are_prepared_by_the_subclass() -> Any:
    noted: list[Any] = []

    class Own(Wrapper):
        def _prepare_cursor(self, cursor: Any) -> Any:
            noted.append(isinstance(cursor, DriverCursorWrapper))
            return super()._prepare_cursor(cursor)

    name = alias(Own, **PERSISTENT)
    run(name, "SELECT 1")
    noted.clear()
    return [use(name), noted]


@scene
def cursors_are_refused_by_the_subclass() -> Any:
    class Own(Wrapper):
        def _cursor(self, name: Any = None) -> Any:
            raise OperationalError(1, "no cursors here")

    name = alias(Own)
    return outcome(lambda: run(name, "SELECT 1"))


@scene
def transactions_do_something_else() -> Any:
    noted: list[str] = []

    def noting(name: str) -> Any:
        def method(self: Any, *args: Any) -> Any:
            noted.append(f"{name} {args[0] if name == '_set_autocommit' else ''}".strip())
            return getattr(super(Own, self), name)(*args)

        return method

    names = "_commit _rollback _savepoint _savepoint_commit _savepoint_rollback _set_autocommit"
    Own = type("Own", (Wrapper,), {name: noting(name) for name in names.split()})  # noqa: N806
    name = alias(Own)
    run(name, "SELECT 1")
    noted.clear()
    with transaction.atomic(name):
        run(name, INSERT, ["transactions"])
        with transaction.atomic(name):
            run(name, INSERT, ["transactions"])
        try:
            with transaction.atomic(name):
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
    try:
        with transaction.atomic(name):
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    transaction.set_autocommit(False, name)
    run(name, INSERT, ["transactions"])
    transaction.commit(name)
    transaction.rollback(name)
    transaction.set_autocommit(True, name)
    return [noted, stored("transactions")]


@scene
def commit_is_refused_by_the_subclass() -> Any:
    class Own(Wrapper):
        def _commit(self) -> None:
            raise IntegrityError(9, "not committed")

    name, hooks = alias(Own), []

    def block() -> None:
        with transaction.atomic(name):
            run(name, INSERT, ["refused"])
            transaction.on_commit(lambda: hooks.append(1), name)

    return [outcome(block), hooks, stored("refused"), one(name, "SELECT 1")]


@scene
def commit_is_a_rollback() -> Any:
    class Own(Wrapper):
        def _commit(self) -> None:
            self._rollback()

    name = alias(Own)
    with transaction.atomic(name):
        run(name, INSERT, ["nothing"])
    return stored("nothing")


@scene
def savepoints_have_names_of_ones_own() -> Any:
    class Own(Wrapper):
        def _savepoint(self, sid: str) -> None:
            super()._savepoint(f"own_{sid}")

        def _savepoint_rollback(self, sid: str) -> None:
            super()._savepoint_rollback(f"own_{sid}")

        def _savepoint_commit(self, sid: str) -> None:
            super()._savepoint_commit(f"own_{sid}")

    name = alias(Own)
    with transaction.atomic(name):
        run(name, INSERT, ["kept"])
        sid = transaction.savepoint(name)
        run(name, INSERT, ["undone"])
        wrong = outcome(lambda: run(name, f"ROLLBACK TO SAVEPOINT {sid}"))
        transaction.savepoint_rollback(sid, name)
    return [wrong, stored("kept"), stored("undone")]


@scene
def something_is_said_before_closing() -> Any:
    noted: list[Any] = []

    class Own(Wrapper):
        def _close(self) -> None:
            if self.connection is not None:
                with self.connection.cursor() as cursor:
                    cursor.execute("SELECT 9")
                    noted.append(cursor.fetchone())
            super()._close()

    name = alias(Own, **PERSISTENT)
    run(name, "SELECT 1")
    connections[name].close()
    run(name, "SELECT 1")
    piece_of_work_ends(name)
    return [list(noted), one(name, "SELECT 1")]


@scene
def connection_is_never_usable() -> Any:
    class Own(Wrapper):
        def is_usable(self) -> bool:
            return False

    name = alias(Own, CONN_HEALTH_CHECKS=True, CONN_MAX_AGE=None)
    first = session_id(name)
    piece_of_work_ends(name)
    second = session_id(name)
    connections[name].errors_occurred = True
    piece_of_work_ends(name)
    return [first == second, session_id(name) == second]


@scene
def connection_is_ensured_by_the_subclass() -> Any:
    noted: list[bool] = []

    class Own(Wrapper):
        def ensure_connection(self) -> None:
            noted.append(True)
            super().ensure_connection()

    name = alias(Own, **PERSISTENT)
    run(name, "SELECT 1")
    noted.clear()
    run(name, "SELECT 1")
    run(name, "SELECT 1")
    return len(noted)


@scene
def connections_are_forbidden_by_the_subclass() -> Any:
    class Own(Wrapper):
        forbidden = False

        def ensure_connection(self) -> None:
            if self.forbidden:
                raise RuntimeError("no database here")
            super().ensure_connection()

    name = alias(Own)
    run(name, "SELECT 1")
    connections[name].forbidden = True
    return [outcome(lambda: run(name, "SELECT 1")), outcome(connections[name].get_autocommit)]


@scene
def threads_may_share_in_the_subclass() -> Any:
    class Own(Wrapper):
        def validate_thread_sharing(self) -> None:
            pass

    connection = connections[alias(Own)]

    def elsewhere() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 3")
            return cursor.fetchone()

    return [in_thread(elsewhere), elsewhere()]


@scene
def nobody_may_use_it_in_the_subclass() -> Any:
    class Own(Wrapper):
        strict = False

        def validate_thread_sharing(self) -> None:
            if self.strict:
                raise DatabaseError("nobody")

    name = alias(Own)
    run(name, "SELECT 1")
    connections[name].strict = True
    said = outcome(lambda: run(name, "SELECT 1"))
    connections[name].strict = False
    return said


@scene
def version_is_too_old_in_the_subclass() -> Any:
    class Own(Wrapper):
        def get_database_version(self) -> tuple[int, ...]:
            return (5, 1)

    name = alias(Own)
    RAN_DB_VERSION_CHECK.discard(name)
    said = outcome(lambda: run(name, "SELECT 1"))
    # Stock goes on with such a connection next time; with the engine nobody gets it.
    return [said, connections[name].features.minimum_database_version > (5, 1)]


@scene
def server_data_of_ones_own() -> Any:
    class Own(Wrapper):
        @property
        def mysql_server_data(self) -> Any:
            return {**super().mysql_server_data, "version": "8.4.9", "sql_mode": "ANSI"}

    name = alias(Own)
    run(name, "SELECT 1")
    connection = connections[name]
    return [connection.mysql_version, connection.display_name, sorted(connection.sql_mode)]


@scene
def errors_are_wrapped_by_the_subclass() -> Any:
    class Told(Exception):
        pass

    class Own(Wrapper):
        @property
        def wrap_database_errors(self) -> Any:
            return telling()

    @contextmanager
    def telling() -> Any:
        try:
            yield
        except MySQLdb.Error as error:
            raise Told from error

    name = alias(Own)
    return [outcome(lambda: run(name, "SELECT * FROM absent")), one(name, "SELECT 1")]


@scene
def classes_of_ones_own() -> Any:
    class Features(DatabaseFeatures):
        uses_savepoints = False

    class Operations(DatabaseOperations):
        def savepoint_create_sql(self, sid: str) -> str:
            raise AssertionError("savepoints are off")

        def bulk_batch_size(self, fields: Any, objs: Any) -> int:
            return 3

        def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> str:
            return "secret"

    class Introspection(DatabaseIntrospection):
        def get_table_list(self, cursor: Any) -> Any:
            return [each for each in super().get_table_list(cursor) if each.name != "note"]

    class Creation(DatabaseCreation):
        def _get_test_db_name(self) -> str:
            return "of my own"

    class Editor(DatabaseSchemaEditor):
        def execute(self, sql: Any, params: Any = ()) -> Any:
            raise ZeroDivisionError

    class Own(Wrapper):
        features_class = Features
        ops_class = Operations
        introspection_class = Introspection
        creation_class = Creation
        SchemaEditorClass = Editor

    name = alias(Own)
    connection = connections[name]
    with transaction.atomic(name), transaction.atomic(name):
        run(name, INSERT, ["classes"])
    connection.force_debug_cursor = True
    run(name, "SELECT 1")
    with connection.schema_editor() as editor:
        altered = outcome(lambda: editor.execute("SELECT 1"))
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    return [
        stored("classes"),
        "note" in tables,
        connection.ops.bulk_batch_size([], []),
        connection.creation._get_test_db_name(),
        altered,
        connection.queries[0]["sql"],
    ]


@scene
def mixin_in_front_of_the_engine() -> Any:
    """Multiple inheritance with a wrapper that knows nothing of the engine."""
    noted: list[str] = []

    class Mixin:
        def get_new_connection(self, *args: Any, **named: Any) -> Any:
            noted.append("connects")
            return super().get_new_connection(*args, **named)  # type: ignore[misc]

        def close(self) -> None:
            noted.append("closes")
            super().close()  # type: ignore[misc]

    name = alias(type("Own", (Mixin, Wrapper), {}))
    run(name, "SELECT 1")
    connections[name].close()
    return list(noted)


def looks(mine: Any) -> str:
    """What a hook finds: a connection that answers, or none."""
    with mine.wrap_database_errors:
        return "none" if mine.connection is None else f"one: {bool(mine.connection.thread_id())}"


BEGINNING = (
    "_set_autocommit",
    "_start_transaction_under_autocommit",
    "close_if_health_check_failed",
    "ensure_connection",
    "set_autocommit",
    "validate_no_atomic_block",
)
"""What Django calls as it begins a block; the second one only where an engine has it."""


def begins_with(name: str, saw: list[str]) -> Any:
    """A method that looks at the connection before or after it does what Django's does."""

    def begin(self: Any, *args: Any, **kwargs: Any) -> Any:
        above = getattr(super(type(self), self), name, None)
        if name.startswith("_"):  # which are called where there is a connection
            saw.append(looks(self))
        result = self.connection.query("BEGIN") if above is None else above(*args, **kwargs)
        saw.append(looks(self))
        return result

    return begin


def pieces_that_begin_with_a_block(name: str) -> list[Any]:
    """Three pieces of work after one that only reads; another thread works before the last."""

    def block() -> int:
        with transaction.atomic(name):
            run(name, INSERT, ["in a block"])
            return int(one(name, "SELECT COUNT(*) FROM note WHERE tag = 'in a block'"))

    run("default", "DELETE FROM note")
    run(name, "SELECT 1")
    piece_of_work_ends(name)
    said = []
    for _ in range(3):
        said.append(outcome(block))
        piece_of_work_ends(name)
        in_thread(lambda: run(name, "SELECT 1"))
    connections[name].close()
    return said


@scene
def beginning_of_a_block_in_the_pieces_of_work_after_the_first() -> Any:
    said = {}
    for hook, age in itertools.product(BEGINNING, (0, None)):
        saw: list[str] = []
        own = type("DatabaseWrapper", (Wrapper,), {hook: begins_with(hook, saw)})
        name = alias(own, CONN_MAX_AGE=age)
        tags = pieces_that_begin_with_a_block(name)
        said[f"{hook} of a class, {age}"] = [tags, sorted(set(saw))]
    return said


run("default", TABLE)
run("default", "TRUNCATE note")
say(scene.report())
