"""Engines that others have made over Django's, put together with this one in each order.

``PACKAGE`` names the one. With stock Django it is used as it is; what it does is to be the same.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import MySQLdb
from django.db import connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.stock.programs.workshop import (
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

PACKAGE = os.environ["PACKAGE"]
ACCESS_DENIED = 1045
INSERT = "INSERT INTO note (tag) VALUES (%s)"
PERSISTENT: dict[str, Any] = {"CONN_MAX_AGE": None}

scene = Scenes()
_users = itertools.count(1)

Orders = dict[str, Callable[[type], type]]
ORDERS: Orders = {
    "ours in front of theirs": lambda theirs: type("Own", (Wrapper, theirs), {}),
    "theirs in front of ours": lambda theirs: type("Own", (theirs, Wrapper), {}),
}


def in_each_order(theirs: type, tried: Callable[[type], Any]) -> dict[str, Any]:
    """What a trial says of both classes put together; of theirs alone with stock Django."""
    return {
        order: tried(together(theirs) if LIFELINE else theirs) for order, together in ORDERS.items()
    }


def of(package: str) -> Callable[[Callable[[], Any]], Any]:
    """A scene of one package, which need not be installed for those of another."""
    return scene if package == PACKAGE else lambda function: function


# --- django-prometheus: counts connections, statements and errors


def counted(name: str) -> dict[str, float | None]:
    """What its metrics say of an alias."""
    from prometheus_client import REGISTRY

    labels = {"alias": name, "vendor": "mysql"}
    errors = [("OperationalError", "operational"), ("ProgrammingError", "programming")]
    found: dict[str, float | None] = {
        kind: REGISTRY.get_sample_value(f"django_db_{kind}", labels)
        for kind in (
            "new_connections_total",
            "new_connection_errors_total",
            "execute_total",
            "execute_many_total",
            "query_duration_seconds_count",
        )
    }
    for kind, label in errors:
        found[label] = REGISTRY.get_sample_value("django_db_errors_total", {**labels, "type": kind})
    return found


def work_that_is_counted(wrapper: type) -> Any:
    """Statements of all kinds, in one thread; each engine keeps its connection."""
    name = alias(wrapper, **PERSISTENT)
    said = [one(name, "SELECT 1"), run(name, INSERT, ["a"])]
    # Ours has asked the server about itself before, which a wrapper of Django's does first here.
    _ = connections[name].mysql_version
    before = counted(name)
    with transaction.atomic(name):
        run(name, INSERT, ["b"])
        with transaction.atomic(name):
            run(name, INSERT, ["c"])
    with connections[name].cursor() as cursor:
        said.append(cursor.executemany(INSERT, [["d"], ["e"], ["f"]]))
        said.append(cursor.execute("SELECT tag FROM note WHERE tag = 'd' LIMIT 1"))
        said.append(cursor.fetchall())
    said.append(outcome(lambda: run(name, "SELECT * FROM nothing_of_that_name")))
    piece_of_work_ends(name)
    said.append(one(name, "SELECT 2"))
    after = counted(name)
    more = {kind: (after[kind] or 0) - (before[kind] or 0) for kind in after}
    said.append(in_thread(lambda: one(name, "SELECT 3")))
    return [said, more]


def refused_connections(wrapper: type) -> Any:
    """A password that is wrong."""
    name = alias(wrapper, PASSWORD="wrong", USER=new_user("right"))
    said = [outcome(lambda: one(name, "SELECT 1")) for _ in range(2)]
    return [said, counted(name)["new_connection_errors_total"]]


def healing_is_counted(wrapper: type) -> Any:
    """One statement after a KILL: one connection more, and no error."""
    name = alias(wrapper, **PERSISTENT)
    killed = session_id(name)
    before = counted(name)
    if LIFELINE:
        kill(killed)
    else:
        connections[name].close()
    said = one(name, "SELECT 4")
    after = counted(name)
    return [said, after["new_connections_total"] - before["new_connections_total"]]  # type: ignore[operator]


TRIALS = {
    "work": work_that_is_counted,
    "refused": refused_connections,
    "healed": healing_is_counted,
}


def prometheus_engine() -> type:
    """Its engine for MySQL."""
    return import_module("django_prometheus.db.backends.mysql.base").DatabaseWrapper


def prometheus_mixin() -> type:
    """Its mixin over the engine that the settings name, as its own engine is made."""
    common = import_module("django_prometheus.db.common")

    class Counting(common.DatabaseWrapperMixin, Wrapper):  # type: ignore[misc,name-defined]
        CURSOR_CLASS = import_module("django.db.backends.mysql.base").CursorWrapper

        def create_cursor(self, name: Any = None) -> Any:
            kind = common.ExportingCursorWrapper(self.CURSOR_CLASS, self.alias, self.vendor)
            return kind(self.connection.cursor())

    return Counting


@of("django_prometheus")
def prometheus_counts_work() -> Any:
    return in_each_order(prometheus_engine(), work_that_is_counted)


@of("django_prometheus")
def prometheus_counts_refusals() -> Any:
    return in_each_order(prometheus_engine(), refused_connections)


@of("django_prometheus")
def prometheus_counts_what_is_opened_to_heal() -> Any:
    return in_each_order(prometheus_engine(), healing_is_counted)


@of("django_prometheus")
def prometheus_mixed_into_the_engine() -> Any:
    return {name: trial(prometheus_mixin()) for name, trial in TRIALS.items()}


# --- django-mysql: its own tests use an engine that sets up the session by a cursor


def setting_modes(base: type) -> type:
    """A wrapper that sets up each session as the engine of django-mysql's tests does."""

    class Own(base):  # type: ignore[misc,valid-type]
        def init_connection_state(self) -> None:
            modes = ["ERROR_FOR_DIVISION_BY_ZERO", "NO_ZERO_DATE", "STRICT_TRANS_TABLES"]
            if self.mysql_is_mariadb:
                modes.append("NO_AUTO_CREATE_USER")
            with self.cursor() as cursor:
                cursor.execute(
                    "\n SET sql_mode=%s, innodb_strict_mode=1;\n ", (",".join(sorted(modes)),)
                )
                cursor.execute("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_general_ci';")
            super().init_connection_state()

    return Own


SESSION = "SELECT @@sql_mode, @@innodb_strict_mode, @@collation_connection"


def set_up(name: str) -> Any:
    """What the session of an alias is like."""
    mode, strict, collation = run(name, SESSION)[0]
    return [sorted(mode.split(",")), strict, collation]


def throughout(name: str) -> Any:
    """At first, in a block, in the next piece of work, in a thread, and after a KILL."""
    said = [set_up(name)]
    with transaction.atomic(name):
        said.append(set_up(name))
    piece_of_work_ends(name)
    said += [set_up(name), in_thread(lambda: set_up(name))]
    killed = session_id(name)
    piece_of_work_ends(name)
    if LIFELINE:
        kill(killed)
    return [*said, set_up(name)]


@of("django_mysql")
def mysql_sessions_are_set_up_by_a_cursor() -> Any:
    return throughout(alias(setting_modes(Wrapper)))


@of("django_mysql")
def mysql_variables_are_overridden_for_a_while() -> Any:
    from django_mysql.test.utils import override_mysql_variables

    name = alias(setting_modes(Wrapper), **PERSISTENT)
    said = [set_up(name)]
    with override_mysql_variables(name, sql_mode="ANSI", innodb_strict_mode=0):
        said.append(set_up(name))
    return [*said, set_up(name)]


@of("django_mysql")
def mysql_locks_are_held_and_given_back() -> Any:
    from django_mysql.locks import Lock, TableLock

    name = alias(setting_modes(Wrapper), **PERSISTENT)
    said: list[Any] = []
    with Lock("a", using=name) as lock:
        said += [lock.is_held(), in_thread(lambda: outcome(Lock("a", 0, name).acquire))]
    said.append(lock.is_held())
    with TableLock(write=["note"], using=name):
        said.append(run(name, INSERT, ["locked"]))
    return [*said, one(name, "SELECT COUNT(*) > 0 FROM note WHERE tag = 'locked'")]


@of("django_mysql")
def mysql_rewrites_queries_of_each_new_connection() -> Any:
    from django.db.backends.signals import connection_created
    from django_mysql.apps import install_rewrite_hook

    name = alias(setting_modes(Wrapper))
    connection_created.connect(install_rewrite_hook)
    try:
        sql = "SELECT /*QueryRewrite':STRAIGHT_JOIN*/ 1"
        return [one(name, sql), in_thread(lambda: len(hooked(name))), len(hooked(name))]
    finally:
        connection_created.disconnect(install_rewrite_hook)


def hooked(name: str) -> list[Any]:
    """What stands round each statement of this thread's wrapper."""
    one(name, "SELECT 1")
    return list(connections[name].execute_wrappers)


@of("django_mysql")
def mysql_status_and_approximate_counts() -> Any:
    from django_mysql.status import global_status

    name = alias(setting_modes(Wrapper), **PERSISTENT)
    run(name, "SELECT 1")
    return global_status.get("Questions") > 0


# --- passwords that change


def new_user(password: str) -> str:
    """An account of the server that may use this database."""
    user = f"rotated_{next(_users)}"
    admin(f"DROP USER IF EXISTS '{user}'@'%'")
    admin(f"CREATE USER '{user}'@'%' IDENTIFIED BY '{password}'")
    admin(f"GRANT ALL ON `{SETUP['database']['NAME']}`.* TO '{user}'@'%'")
    return user


class Vault:
    """Keeps the secret of an account, as AWS Secrets Manager does, and changes it."""

    def __init__(self) -> None:
        self._versions = itertools.count(1)
        self.secret = self._next()
        self.user = new_user(self.secret)
        self.read = 0
        self.cached = self.secret

    def _next(self) -> str:
        return f"secret-{next(self._versions)}"

    def rotate(self) -> None:
        """A new password; connections that are open go on."""
        self.secret = self._next()
        admin(f"ALTER USER '{self.user}'@'%' IDENTIFIED BY '{self.secret}'")

    def refresh(self) -> None:
        """Ask for the secret again, which costs a call over the network."""
        self.read += 1
        self.cached = self.secret


def by_new_connection(vault: Vault) -> type:
    """The recipe of AWS: the secret is asked for again where it was refused."""

    class Own(Wrapper):  # type: ignore[misc]
        def get_new_connection(self, conn_params: Any) -> Any:
            conn_params["password"] = vault.cached
            try:
                return super().get_new_connection(conn_params)
            except MySQLdb.OperationalError as error:
                if error.args[0] != ACCESS_DENIED:
                    raise
                vault.refresh()
                conn_params["password"] = vault.cached
                return super().get_new_connection(conn_params)

    return Own


def by_connect(vault: Vault) -> type:
    """The same where Django connects, with Django's error."""

    class Own(Wrapper):  # type: ignore[misc]
        def get_connection_params(self) -> Any:
            return {**super().get_connection_params(), "password": vault.cached}

        def connect(self) -> None:
            try:
                super().connect()
            except Exception as error:
                if error.args[0] != ACCESS_DENIED:
                    raise
                vault.refresh()
                super().connect()

    return Own


def by_settings(vault: Vault) -> type:
    """The same by way of the settings, where the password is changed in place."""

    class Own(Wrapper):  # type: ignore[misc]
        def get_new_connection(self, conn_params: Any) -> Any:
            try:
                return super().get_new_connection(conn_params)
            except MySQLdb.OperationalError as error:
                if error.args[0] != ACCESS_DENIED:
                    raise
                vault.refresh()
                self.settings_dict["PASSWORD"] = vault.cached
                return super().get_new_connection(self.get_connection_params())

    return Own


RECIPES = {"new connection": by_new_connection, "connect": by_connect, "settings": by_settings}


def each_recipe(tried: Callable[[Vault, str], Any]) -> dict[str, Any]:
    """What a trial says with each way to write it."""
    said = {}
    for recipe, made in RECIPES.items():
        vault = Vault()
        name = alias(made(vault), USER=vault.user, PASSWORD=vault.secret, **PERSISTENT)
        said[recipe] = tried(vault, name)
        if LIFELINE:
            from django_lifeline import pools

            assert pools[name].stats().size <= 10
    return said


def everybody_asks(name: str, threads: int = 6) -> list[Any]:
    """What several threads get at the same time, each on a wrapper of its own."""
    said: list[Any] = []
    barrier = threading.Barrier(threads)

    def ask() -> None:
        barrier.wait()
        said.append(outcome(lambda: one(name, "SELECT 7")))
        connections[name].close()

    all_ = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in all_:
        thread.start()
    for thread in all_:
        thread.join()
    return said


@of("rotation")
def rotated_while_a_connection_is_open() -> Any:
    def tried(vault: Vault, name: str) -> Any:
        said = [one(name, "SELECT 5")]
        vault.rotate()
        said.append(one(name, "SELECT 6"))
        return [said, vault.read]

    return each_recipe(tried)


@of("rotation")
def rotated_before_a_new_thread() -> Any:
    def tried(vault: Vault, name: str) -> Any:
        said = [one(name, "SELECT 5")]
        with transaction.atomic(name):  # so that nobody is lent this one
            one(name, "SELECT 5")
            vault.rotate()
            said += everybody_asks(name)
        return [said, vault.read > 0]

    return each_recipe(tried)


@of("rotation")
def rotated_before_a_connection_is_lost() -> Any:
    def tried(vault: Vault, name: str) -> Any:
        said, killed = [one(name, "SELECT 5")], session_id(name)
        piece_of_work_ends(name)
        vault.rotate()
        kill(killed)
        if not LIFELINE:
            connections[name].close()
        said.append(outcome(lambda: one(name, "SELECT 6")))
        with transaction.atomic(name):
            said.append(one(name, "SELECT 7"))
        return [said, vault.read]

    return each_recipe(tried)


@of("rotation")
def rotated_before_a_loss_at_the_beginning_of_a_block() -> Any:
    def tried(vault: Vault, name: str) -> Any:
        killed, hooks = session_id(name), []
        with transaction.atomic(name):
            transaction.on_commit(lambda: hooks.append("ran"), using=name)
            if LIFELINE:
                vault.rotate()
                kill(killed)
            said = [outcome(lambda: run(name, INSERT, ["rotated"]))]
            said.append(connections[name].in_atomic_block)
        stored = one("default", "SELECT COUNT(*) FROM note WHERE tag = 'rotated'")
        run("default", "DELETE FROM note WHERE tag = 'rotated'")
        return [said, stored, hooks, connections[name].get_autocommit()]

    return each_recipe(tried)


@of("rotation")
def rotated_again_and_again() -> Any:
    def tried(vault: Vault, name: str) -> Any:
        said = []
        for _ in range(4):
            vault.rotate()
            connections[name].close()
            said += [one(name, "SELECT 6"), *everybody_asks(name, 3)]
        return said

    return each_recipe(tried)


@of("rotation")
def rotation_that_did_not_reach_the_vault() -> Any:
    """The password is wrong for good: the error is the server's, each time."""

    def tried(vault: Vault, name: str) -> Any:
        admin(f"ALTER USER '{vault.user}'@'%' IDENTIFIED BY 'another'")
        return [outcome(lambda: one(name, "SELECT 6")) for _ in range(2)] + everybody_asks(name, 2)

    return each_recipe(tried)


# --- django-iam-dbauth: a token in the place of the password, made for each connection


class Tokens:
    """Stands in for boto3: each token is one that the server accepts, and the last alone."""

    def __init__(self) -> None:
        self.user = new_user("none yet")
        self.made: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def generate_db_auth_token(self, **given: Any) -> str:
        """Make a token; those who connect take turns in the trials."""
        with self._lock:
            self.made.append(given)
            token = f"token-{len(self.made)}"
            admin(f"ALTER USER '{self.user}'@'%' IDENTIFIED BY '{token}'")
            return token


def iam_alias(wrapper: type) -> tuple[str, Tokens]:
    """An alias whose password is made by the stand-in."""
    tokens = Tokens()
    session = SimpleNamespace(client=lambda **given: tokens)
    boto3 = ModuleType("boto3")
    boto3.session = SimpleNamespace(Session=lambda: session)  # type: ignore[attr-defined]
    sys.modules["boto3"] = boto3
    import_module("django_iam_dbauth.aws.database_wrapper").boto3 = boto3
    options = {"use_iam_auth": True, "region_name": "eu-west-1", "resolve_cname_enabled": False}
    return alias(wrapper, USER=tokens.user, PASSWORD="", OPTIONS=options), tokens


def iam_engine() -> type:
    """Its engine for MySQL."""
    sys.modules.setdefault("boto3", ModuleType("boto3"))
    return import_module("django_iam_dbauth.aws.mysql.base").DatabaseWrapper


@of("django_iam_dbauth")
def iam_tokens_throughout() -> Any:
    def tried(wrapper: type) -> Any:
        name, tokens = iam_alias(wrapper)
        said = [one(name, "SELECT 8")]
        asked = tokens.made[0]
        piece_of_work_ends(name)
        said += [one(name, "SELECT 8"), in_thread(lambda: one(name, "SELECT 8"))]
        with transaction.atomic(name):
            said += [run(name, INSERT, ["iam"]), in_thread(lambda: one(name, "SELECT 8"))]
        killed = session_id(name)
        piece_of_work_ends(name)
        kill(killed)
        said.append(one(name, "SELECT 8"))
        piece_of_work_ends(name)
        run(name, "SET @left = 1")  # such a session is made clean, or ended, by its own password
        piece_of_work_ends(name)
        said.append(one(name, "SELECT @left"))
        return [said, {**asked, "Port": bool(asked["Port"]), "DBUsername": "the user's"}]

    return in_each_order(iam_engine(), tried)


@of("django_iam_dbauth")
def iam_asks_for_no_token_that_is_not_used() -> Any:
    """Once for all pieces of work where stock keeps its connection."""

    def tried(wrapper: type) -> Any:
        name, tokens = iam_alias(wrapper)
        connections[name].settings_dict["CONN_MAX_AGE"] = None
        sessions = set()
        for _ in range(5):
            sessions.add(session_id(name))
            piece_of_work_ends(name)
        return [len(tokens.made), len(sessions)]

    return in_each_order(iam_engine(), tried)


@of("django_iam_dbauth")
def iam_connections_are_one_pool() -> Any:
    def tried(wrapper: type) -> Any:
        name, _ = iam_alias(wrapper)
        for _ in range(3):
            in_thread(lambda: one(name, "SELECT 9"))
        if not LIFELINE:
            return 1
        from django_lifeline.backends.assembly import targets

        return len([each for each in targets if each.name == connections[name].target.name])

    return in_each_order(iam_engine(), tried)


run("default", TABLE)
run("default", "TRUNCATE note")
say(scene.report())
