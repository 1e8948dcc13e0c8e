"""What a session is like when a piece of work gets it: new, and after another has left a trace.

With every kind of thing that has a say at connecting: the driver's options, an option file, what
the server runs for new sessions.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from django.db import connections
from tests.fixtures.program_setup import SETUP, admin
from tests.stock.programs.workshop import (
    DRIVER,
    TABLE,
    alias,
    outcome,
    piece_of_work_ends,
    run,
    say,
)

SERIALIZABLE = "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"
ANSI = "SET sql_mode = 'ANSI'"
OPTIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "names latin1": {"init_command": "SET NAMES latin1"},
    "names utf8": {"init_command": "SET NAMES utf8"},
    "isolation": {"init_command": SERIALIZABLE},
    "isolation both": {"init_command": SERIALIZABLE, "isolation_level": "repeatable read"},
    "isolation none": {"init_command": SERIALIZABLE, "isolation_level": None},
    "null": {"init_command": "SET sql_auto_is_null = 1"},
    "mode": {"init_command": ANSI},
    "mode both": {"init_command": ANSI, "sql_mode": "TRADITIONAL"},
    "mode option": {"sql_mode": "TRADITIONAL"},
    "autocommit": {"init_command": "SET autocommit = 0"},
    "time zone": {"init_command": "SET time_zone = '+05:00'"},
    "charset": {"charset": "latin1"},
    "charset and names": {"charset": "latin1", "init_command": "SET NAMES utf8mb4"},
    "collation": {"charset": "utf8mb4", "init_command": "SET collation_connection = utf8mb4_bin"},
    "database": {"init_command": "USE information_schema"},
}
VOLATILE = (
    *("timestamp", "pseudo_thread_id", "rand_seed1", "rand_seed2", "insert_id", "last_insert_id"),
    *("identity", "error_count", "warning_count", "statement_id", "last_gtid", "in_transaction"),
    *("pseudo_slave_mode", "gtid_next", "unique_checks", "socket"),
)
TRACES = ["SET sort_buffer_size = 300000", "SET NAMES latin1", ANSI, "SET @who = 7"]


def seen(name: str) -> dict[str, Any]:
    """All of the session's variables, and its database."""
    variables = {str(key).lower(): str(value) for key, value in run(name, "SHOW SESSION VARIABLES")}
    own = {key: value for key, value in variables.items() if not key.startswith(VOLATILE)}
    return {**own, "database()": run(name, f"SELECT DATABASE() = '{MAIN}'")[0][0]}


def stored(name: str) -> str:
    """What comes of text that not every character set has."""
    run(name, f"INSERT INTO {MAIN}.note (tag) VALUES (%s)", ["café 😀"])
    [[text]] = admin("SELECT HEX(tag) FROM note ORDER BY id DESC LIMIT 1")
    return str(text)


def work(name: str, *traces: str) -> list[Any]:
    found = [seen(name), outcome(lambda: stored(name))]
    for sql in traces:
        run(name, sql)
    piece_of_work_ends(name)
    return found


def watched(**settings: Any) -> Any:
    """Each piece of work comes after one that has left another trace; stock connects for each."""
    name = alias(CONN_MAX_AGE=0, **settings)
    first, *later = [work(name, *trace) for trace in ([], *([trace] for trace in TRACES), [])]
    connections[name].close()
    return [first, [changed(first, each) for each in later]]


def changed(first: list[Any], now: list[Any]) -> list[Any]:
    here, there = first[0], now[0]
    other = {key: (here[key], there[key]) for key in here if here[key] != there.get(key)}
    return [other, now[1] if now[1] != first[1] else "as at first"]


def option_file(directory: str) -> Any:
    """What mysqlclient's library reads from it; PyMySQL has no ``init-command`` there."""
    path = Path(directory, "my.cnf")
    path.write_text("[client]\ninit-command = \"SET time_zone = '+05:00', sql_mode = 'ANSI'\"\n")
    return watched(OPTIONS={"read_default_file": str(path)})


def init_connect() -> Any:
    """The server runs it for accounts without SUPER."""
    admin(f"CREATE USER '{MAIN}'@'%' IDENTIFIED BY 'only-for-this-test'")
    admin(f"GRANT ALL ON {MAIN}.* TO '{MAIN}'@'%'")
    [[before]] = admin("SELECT @@global.init_connect")
    try:
        admin("SET GLOBAL init_connect = \"SET time_zone = '+05:00', sql_mode = ''\"")
        return watched(USER=MAIN, PASSWORD="only-for-this-test")
    finally:
        admin("SET GLOBAL init_connect = %s", before)
        admin(f"DROP USER '{MAIN}'@'%'")


MAIN = SETUP["database"]["NAME"]
run("default", f"{TABLE} CHARACTER SET utf8mb4")
connections["default"].close()
if DRIVER == "pymysql":
    del OPTIONS["null"]  # stock Django sends two statements in one then, which is refused
report = {name: watched(OPTIONS=options) for name, options in OPTIONS.items()}
report["init_connect"] = init_connect()
if DRIVER == "mysqlclient":
    with tempfile.TemporaryDirectory() as directory:
        report["option file"] = option_file(directory)
say(report)
