"""What one piece of work does to its session, and what the next one sees of it: nothing.

Every kind of statement that may leave something behind, in several spellings. The next piece of
work gets a new session with stock Django, and with this engine the same one: its pool has one.
"""

from __future__ import annotations

import os
import time
from typing import Any

from django.db import Error, connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.stock.programs.workshop import LIFELINE, TABLE, alias, outcome, run, say

MARIADB = SETUP["server"]["flavour"] == "mariadb"
HERE = SETUP["database"]["NAME"]
ELSEWHERE, ROLE, DEFAULT_ROLE = f"{HERE}_2", f"{HERE}_r", f"{HERE}_d"
USER = f"'{SETUP['database']['USER']}'@'%'"
NAME = alias(OPTIONS={"pool": {"max_size": 1}} if LIFELINE else {})

VARIABLES = {
    "sort_buffer_size": "100000",
    "time_zone": "'+05:00'",
    "sql_mode": "'ANSI'",
    "lc_time_names": "'de_DE'",
    "sql_select_limit": "1",
    "group_concat_max_len": "5",
    "foreign_key_checks": "0",
    "unique_checks": "0",
    "sql_safe_updates": "1",
    "sql_auto_is_null": "1",
    "sql_notes": "0",
    "big_tables": "1",
    "wait_timeout": "100",
    "lock_wait_timeout": "3",
    "max_statement_time": "5",
    "max_execution_time": "5000",
    "collation_connection": "utf8mb4_bin",
    "character_set_results": "NULL",
    "default_storage_engine": "'MEMORY'",
    "optimizer_switch": "'mrr=on'",
    "insert_id": "77",
    "last_insert_id": "7",
    "timestamp": "100",
    "rand_seed1": "5",
    "profiling": "1",
    "sql_log_bin": "0",
    "binlog_format": "'ROW'",
    "completion_type": "'NO_CHAIN'",
    "autocommit": "0",
    "transaction_read_only": "1",
    "transaction_isolation": "'SERIALIZABLE'",
    "tx_isolation": "'SERIALIZABLE'",
    "session_track_schema": "0",
    "gtid_domain_id": "5",
    "div_precision_increment": "1",
}
BY_WORDS = [
    *(f"SET ROLE {each}" for each in (ROLE, "NONE", "DEFAULT", f"`{ROLE}`", "ALL")),
    f"set /* by hand */ role {ROLE}",
    f"/*! SET ROLE {ROLE} */",
    f"SET @r = '{ROLE}'; SET ROLE {ROLE}",
    f"EXECUTE IMMEDIATE 'SET ROLE {ROLE}'",
    "SET NAMES latin1",
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    "SET CHARACTER SET latin1",
    "SET TRANSACTION READ ONLY",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SET SESSION TRANSACTION READ ONLY",
    "SET RESOURCE GROUP USR_default",
    "SET STATEMENT sort_buffer_size = 100000 FOR SELECT 1",
    f"USE {ELSEWHERE}",
    f"use `{ELSEWHERE}`;",
    f"ALTER DATABASE {HERE} CHARACTER SET latin1",
    f"ALTER DATABASE {HERE} CHARACTER SET utf8mb4",
]
OF_DATABASES = [
    f"DROP DATABASE {ELSEWHERE}",
    f"DROP SCHEMA IF EXISTS {ELSEWHERE}",
    f"drop /* it */ database `{ELSEWHERE}`",
    f"CREATE OR REPLACE DATABASE {ELSEWHERE}",
]
EXPRESSIONS = [
    "@x := 4",
    "GET_LOCK('a', 0)",
    "LAST_INSERT_ID(55)",
    "IFNULL(LAST_INSERT_ID(57), 1)",
    "LAST_INSERT_ID(tag = 'one') + LAST_INSERT_ID(58)",
    "remembers()",
    "locks()",
]
AROUND = [
    "SELECT {}",
    "DO {}",
    "SELECT * FROM note WHERE {}",
    "INSERT INTO note (tag) VALUES ({})",
    "UPDATE note SET tag = {}",
    "DELETE FROM note WHERE ({}) IS NULL",
    "CREATE TABLE made AS SELECT {}",
    "SHOW TABLES WHERE {}",
    "WITH c AS (SELECT {} AS v) SELECT * FROM c",
    "SELECT /*! {} */",
]
STATEMENTS = [
    *(f"SET {name} = {value}" for name, value in VARIABLES.items()),
    *(f"SET @@session.{name} := {value}" for name, value in VARIABLES.items()),
    *BY_WORDS,
    *OF_DATABASES,
    *(around.format(expression) for around in AROUND for expression in EXPRESSIONS),
    "SELECT 1 INTO @x",
    "SET @x = 5",
    "BEGIN",
    "START TRANSACTION READ ONLY",
    "SAVEPOINT s",
    "COMMIT AND CHAIN",
    "XA START 'x'",
    "CREATE TEMPORARY TABLE only_here (a INT)",
    "CREATE /* */ TEMPORARY TABLE note (a INT)",
    "CREATE OR REPLACE TEMPORARY TABLE only_here (a INT)",
    "PREPARE kept FROM 'SELECT 1'",
    "HANDLER note OPEN",
    "LOCK TABLES note READ",
    "LOCK TABLE note WRITE",
    "FLUSH TABLES note WITH READ LOCK",
    "FLUSH TABLES note FOR EXPORT",
    "BACKUP LOCK note",
    "LOCK INSTANCE FOR BACKUP",
    "CALL sets()",
    "CALL begins()",
    "CALL makes()",
    "CALL plays()",
    "BEGIN NOT ATOMIC SET @x = 1; END",
    "SELECT SQL_CALC_FOUND_ROWS 1",
    "SIGNAL SQLSTATE '01000'",
]
RESTLESS = {"timestamp", "rand_seed1", "rand_seed2", "pseudo_thread_id", "external_user"}
RESTLESS |= {"error_count", "warning_count", "identity", "last_insert_id", "statement_id"}
"""Variables that differ from session to session whatever was left."""


DEADLINE = 5.0
LOOK_EVERY = 0.02


def wait_for_locks() -> None:
    """Wait for the server to free the locks of a session that was closed, which takes a moment."""
    until = time.monotonic() + DEADLINE
    while admin("SELECT IS_USED_LOCK('a'), IS_USED_LOCK('f')") != [(None, None)]:
        if time.monotonic() > until:
            return
        time.sleep(LOOK_EVERY)


def seen() -> dict[str, Any]:
    """What a piece of work sees of its session, its first questions first."""
    role = "CURRENT_ROLE()"
    asked = {
        "number": "SELECT LAST_INSERT_ID()",
        "session": f"SELECT @x, {role}, DATABASE(), IS_USED_LOCK('a'), IS_USED_LOCK('f')",
        "variables": "SHOW SESSION VARIABLES",
        "temporary": "SELECT * FROM only_here",
        "rows": "SELECT COUNT(*) >= 0 FROM note WHERE id > 0",
        "prepared": "EXECUTE kept",
        "handler": "HANDLER note READ FIRST",
        "writes": "DELETE FROM note WHERE id > 1000",
        "defines": "CREATE TABLE IF NOT EXISTS other (a INT)",
    }
    answers = {name: outcome(lambda sql=sql: run(NAME, sql)) for name, sql in asked.items()}
    if isinstance(answers["variables"], tuple):
        answers["variables"] = {
            name: value
            for name, value in answers["variables"]
            if name not in RESTLESS and not name.startswith(("gtid_", "last_gtid"))
        }
    answers["others"] = outcome(lambda: admin("SELECT id FROM note LIMIT 1 FOR UPDATE NOWAIT"))
    return answers


def alone(statement: str) -> None:
    run(NAME, statement)


def in_a_block(statement: str) -> None:
    with transaction.atomic(NAME):
        run(NAME, statement)


def by_hand(statement: str) -> None:
    connections[NAME].set_autocommit(False)
    try:
        run(NAME, statement)
        connections[NAME].commit()
    finally:
        connections[NAME].set_autocommit(True)


PART = frozenset(os.environ["PART"].split())
"""Which of the statements, by number."""
WAY = {way.__name__: way for way in (alone, in_a_block, by_hand)}[os.environ["WAY"]]


def left_by(statement: str) -> Any:
    """What the next piece of work sees otherwise than on a fresh session; and the statement's end.

    A statement that the server does not know leaves nothing.
    """
    if statement in OF_DATABASES:
        outcome(lambda: run(NAME, f"CREATE DATABASE IF NOT EXISTS {ELSEWHERE}"))
        outcome(lambda: run(NAME, f"USE {ELSEWHERE}"))
    ended = outcome(lambda: WAY(statement))
    try:
        connections[NAME].close()
    except Error as error:
        ended = [ended, type(error).__name__]
    if statement in OF_DATABASES:
        admin(f"CREATE DATABASE IF NOT EXISTS {ELSEWHERE}")
    wait_for_locks()
    after = seen()
    connections[NAME].close()
    if isinstance(after["variables"], dict):
        before = FRESH["variables"]
        after["variables"] = {
            name: value for name, value in after["variables"].items() if value != before.get(name)
        }
    return [
        ended,
        {name: value for name, value in after.items() if value and value != FRESH[name]},
    ]


run("default", TABLE)
run("default", "INSERT INTO note (tag) VALUES ('one'), ('two')")
connections["default"].close()
admin(f"CREATE DATABASE {ELSEWHERE}")
for each in (ROLE, DEFAULT_ROLE):
    admin(f"CREATE ROLE {each}")
    admin(f"GRANT {each} TO {USER}")
admin("CREATE PROCEDURE sets() SET @x = 7, SESSION sql_mode = 'ANSI'")
admin("CREATE PROCEDURE begins() START TRANSACTION")
admin("CREATE PROCEDURE makes() CREATE TEMPORARY TABLE only_here (a INT)")
admin(f"CREATE PROCEDURE plays() SET ROLE {ROLE}")
admin("CREATE FUNCTION remembers() RETURNS INT NO SQL BEGIN SET @x = 9; RETURN 1; END")
admin("CREATE FUNCTION locks() RETURNS INT NO SQL RETURN GET_LOCK('f', 0)")
report: dict[str, Any] = {}
try:
    FRESH = seen()
    connections[NAME].close()
    for number, text in enumerate(STATEMENTS):
        if str(number) in PART:
            report[text] = left_by(text)
finally:
    connections[NAME].close()
    for each in (ROLE, DEFAULT_ROLE):
        admin(f"DROP ROLE {each}")
    admin(f"DROP DATABASE IF EXISTS {ELSEWHERE}")
say({text.replace(HERE, "here"): answer for text, answer in report.items()})
