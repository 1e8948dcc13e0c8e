"""Settings: which are taken, which refused, and who shares connections with whom."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, close_old_connections, connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.server.programs.toolbox import (
    ENGINES,
    create_table,
    database,
    forget,
    in_thread,
    kill,
    one,
    outcome,
    run,
    say,
    session_id,
    told,
)

import django_lifeline
from django_lifeline import pools, signals
from lifeline_lab.wire import WireProxy

MARIADB = SETUP["server"]["flavour"] == "mariadb"
MYSQLCLIENT = SETUP["driver"] == "mysqlclient"
ISOLATION = "@@tx_isolation" if MARIADB else "@@transaction_isolation"
LOOK = (
    "SELECT CONCAT_WS(' ', @@session.sql_mode, @set_up, @@character_set_client,"
    f" @@collation_connection, @@autocommit, {ISOLATION}, @@session.wait_timeout)"
)
SECRET_VALUE = "the-value-of-a-parameter"


def driver_options() -> dict[str, dict[str, Any]]:
    if MYSQLCLIENT:
        from MySQLdb.constants import CLIENT
        from MySQLdb.cursors import SSCursor

        own: dict[str, dict[str, Any]] = {
            "compress": {"compress": True},
            "multi_statements": {"multi_statements": False},
            "conv": {"conv": {**__import__("MySQLdb").converters.conversions}},
        }
    else:
        from pymysql.constants import CLIENT
        from pymysql.cursors import SSCursor

        own = {"max_allowed_packet": {"max_allowed_packet": 1 << 20}}
    return {
        "none": {},
        "sql_mode": {"sql_mode": "STRICT_ALL_TABLES"},
        "init_command": {"init_command": "SET @set_up = 5"},
        "init_commands": {"init_command": "SET wait_timeout = 77, sql_mode = 'ANSI'"},
        "charset": {"charset": "latin1"},
        "collation": {"charset": "utf8mb4", "collation": "utf8mb4_general_ci"},
        "isolation_level": {"isolation_level": "repeatable read"},
        "isolation_level_of_server": {"isolation_level": None},
        "timeouts": {"connect_timeout": 5, "read_timeout": 30, "write_timeout": 30},
        "autocommit": {"autocommit": True},
        "autocommit_off": {"autocommit": False},
        "client_flag": {"client_flag": CLIENT.INTERACTIVE},
        "use_unicode": {"use_unicode": True},
        "local_infile": {"local_infile": 1},
        "binary_prefix": {"binary_prefix": True},
        "unix_socket": {"unix_socket": SETUP["server"]["socket"]},
        "cursorclass": {"cursorclass": SSCursor},
        **own,
    }


def accepted() -> dict[str, list[str]]:
    """Each option with both engines: what the session then looks like."""
    said: dict[str, list[str]] = {}
    for name, options in driver_options().items():
        for engine in ENGINES:
            alias = database(f"{name} {engine}", engine, OPTIONS=options)
            said.setdefault(name, []).append(outcome(lambda alias=alias: one(alias, LOOK)))
            forget(alias)
    for name, changes in {
        "max_age_0": {"CONN_MAX_AGE": 0},
        "max_age_60": {"CONN_MAX_AGE": 60},
        "max_age_none": {"CONN_MAX_AGE": None},
        "health_checks": {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True},
        "time_zone": {"TIME_ZONE": "Europe/Berlin"},
        "no_autocommit": {"AUTOCOMMIT": False},
    }.items():
        for engine in ENGINES:
            alias = database(f"{name} {engine}", engine, **changes)
            steps = [outcome(lambda alias=alias: one(alias, LOOK)) for _ in range(2)]
            close_old_connections()
            steps.append(outcome(lambda alias=alias: one(alias, LOOK)))
            said.setdefault(name, []).append(" | ".join(steps))
            forget(alias)
    return said


WRONG: dict[str, dict[str, Any]] = {
    "pool_is_a_number": {"pool": 5},
    "pool_is_none": {"pool": None},
    "pool_key": {"pool": {"maxsize": 5}},
    "pool_key_in_capitals": {"pool": {"MAX_SIZE": 5}},
    "pool_value": {"pool": {"max_size": 0}},
    "pool_value_type": {"pool": {"timeout": "5"}},
    "pool_value_bool": {"pool": {"max_size": True}},
    "pool_min_over_max": {"pool": {"min_size": 5, "max_size": 4}},
    "lifeline_is_a_list": {"lifeline": ["retry_reads"]},
    "lifeline_key": {"lifeline": {"retry_read": False}},
    "lifeline_value": {"lifeline": {"retry_reads": "no"}},
    "lifeline_negative": {"lifeline": {"ping_timeout": -1}},
}


def refused() -> dict[str, str]:
    said = {}
    for name, options in WRONG.items():
        alias = database(name, "lifeline", OPTIONS=options)
        try:
            said[name] = f"ok {one(alias, 'SELECT 7')}"
        except ImproperlyConfigured as error:
            said[name] = str(error)
        forget(alias)
    return said


def without_pool() -> dict[str, Any]:
    said: dict[str, Any] = {}
    for age in (0, None, 60):
        alias = database(f"direct {age}", "lifeline", OPTIONS={"pool": False}, CONN_MAX_AGE=age)
        first = session_id(alias)
        close_old_connections()
        second = session_id(alias)
        kill(second)
        third = outcome(lambda alias=alias: one(alias, "SELECT 7"))
        said[str(age)] = {"kept": first == second, "after_kill": third}
        forget(alias)
    return said


def sharing() -> dict[str, Any]:
    """Who may borrow whose connections."""
    name = SETUP["database"]["NAME"]
    admin(f"CREATE DATABASE IF NOT EXISTS {name}_2")
    admin("CREATE USER IF NOT EXISTS 'second'@'%%' IDENTIFIED BY 'secret-of-the-second'")
    admin("GRANT ALL ON *.* TO 'second'@'%%'")
    whose = "SELECT CONCAT(DATABASE(), ' ', SUBSTRING_INDEX(CURRENT_USER(), '@', 1))"
    aliases = {
        "one": database("one", "lifeline"),
        "same": database("same", "lifeline"),
        "name": database("name", "lifeline", NAME=f"{name}_2"),
        "user": database("user", "lifeline", USER="second", PASSWORD="secret-of-the-second"),
        "wrong": database("wrong", "lifeline", PASSWORD="not-the-password"),
        "mode": database("mode", "lifeline", OPTIONS={"sql_mode": "ANSI"}),
    }
    said: dict[str, Any] = {}
    for key, alias in aliases.items():
        said[key] = outcome(lambda alias=alias: one(alias, whose)).replace(name, "NAME")
        close_old_connections()
    said["alike_share"] = pools["one"] is pools["same"]
    different = ("one", "name", "user", "wrong", "mode")
    said["pools"] = len({id(pools[alias]) for alias in different})
    # As Django's test runner does it: NAME is changed in place, and the connection closed.
    wrapper = connections["one"]
    wrapper.close()
    wrapper.settings_dict["NAME"] = f"{name}_2"
    said["name_changed"] = str(one("one", "SELECT DATABASE()")).replace(name, "NAME")
    for alias in aliases:
        forget(alias)
    admin(f"DROP DATABASE {name}_2")
    return said


class Everything(logging.Handler):
    """Keeps what is logged, as text, traceback included."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(logging.Formatter("%(message)s").format(record))
        self.texts.append(repr(record.__dict__))


class Ears:
    """Everything that is said, logged, signalled or raised while it listens."""

    def __init__(self) -> None:
        self.log = Everything()
        self.texts: list[str] = []
        self.errors: list[BaseException] = []

    def __enter__(self) -> Ears:
        logger = logging.getLogger("django_lifeline")
        logger.setLevel(logging.DEBUG)
        logger.addHandler(self.log)
        signals.connection_lost.connect(self.receive)
        signals.connection_restored.connect(self.receive)
        return self

    def __exit__(self, *details: object) -> None:
        logging.getLogger("django_lifeline").removeHandler(self.log)
        for error in self.errors:
            self.texts += [str(error), repr(error), repr(getattr(error, "diagnosis", ""))]
            self.texts += [str(error.__cause__), *getattr(error, "__notes__", [])]
        self.texts += self.log.texts

    def receive(self, sender: Any, **kwargs: Any) -> None:
        self.texts.append(f"{kwargs!r} {kwargs.get('diagnosis')}")

    def look_at(self, wrapper: Any) -> None:
        hold, pool = wrapper._hold, wrapper.pool
        for thing in (wrapper, pool, pool.stats(), wrapper.target, hold, hold.lease):
            self.texts += [repr(thing), str(thing)]
        self.texts += [repr(hold.lease.slot), repr(wrapper.connection)]

    def fail(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except Error as error:
            self.errors.append(error)


def lose_in_every_way(alias: str, ears: Ears, proxy: WireProxy) -> None:
    def write() -> None:
        run(alias, "INSERT INTO row_written (tag, number) VALUES (%s, 1)", [SECRET_VALUE])

    def block(then: Callable[[], Any]) -> None:
        with transaction.atomic(alias):
            write()
            then()

    proxy.on("INSERT", "mid_answer")
    ears.fail(write)
    ears.fail(lambda: block(lambda: proxy.on("^COMMIT", "mid_answer")))
    ears.fail(lambda: block(lambda: (kill(session_id(alias)), write())))
    kill(session_id(alias))
    one(alias, "SELECT %s", [SECRET_VALUE])
    run(alias, "SET @x = %s", [SECRET_VALUE])
    kill(session_id(alias))
    ears.fail(lambda: one(alias, "SELECT @x"))
    ears.fail(lambda: one(alias, "SELECT @x"))  # refused, as long as it is missed
    connections[alias].close()
    with transaction.atomic(alias):
        one(alias, "SELECT 7")
        with in_thread(lambda: ears.fail(lambda: one(alias, "SELECT 8"))):
            pass
    packet = "x" * (int(one(alias, "SELECT @@max_allowed_packet")) + 10) + SECRET_VALUE
    ears.fail(lambda: one(alias, "SELECT LENGTH(%s)", [packet]))
    proxy.refuse()
    proxy.cut()
    ears.fail(lambda: one(alias, "SELECT 7"))


def secrets() -> dict[str, Any]:
    """Fail in as many ways as possible; look for secrets in all that is said of it."""
    pool = {"max_size": 1, "timeout": 0.1}
    wrong = database("wrong secret", "lifeline", PASSWORD="not-the-password")
    with Ears() as ears, WireProxy(SETUP["database"]["HOST"], SETUP["database"]["PORT"]) as proxy:
        alias = database("secret", "lifeline", PORT=proxy.port, OPTIONS={"pool": pool})
        one(alias, "SELECT 7")
        ears.look_at(connections[alias])
        lose_in_every_way(alias, ears, proxy)
        ears.fail(lambda: one(wrong, "SELECT 7"))
    hidden = (SETUP["database"]["PASSWORD"], "not-the-password", SECRET_VALUE)
    found = [text[:300] for text in ears.texts for secret in hidden if secret in text]
    forget(alias)
    forget(wrong)
    return {
        "found": found,
        "logged": len(ears.log.texts),
        "errors": [told(error) for error in ears.errors],
        "numbered": all(isinstance(error.args[0], int) for error in ears.errors),
    }


def main() -> None:
    create_table()
    one("default", "SELECT 7")
    report = {
        "public": sorted(django_lifeline.__all__),
        "threads": threading.active_count(),
        "accepted": accepted(),
        "refused": refused(),
        "without_pool": without_pool(),
        "sharing": sharing(),
        "secrets": secrets(),
    }
    say(report)


if __name__ == "__main__":
    main()
