"""What the administrator does for one arm: databases, the state at the start, looking, killing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import pymysql
from pymysql.constants import CLIENT

from lifeline_lab.servers import Server

DATABASES = ("a", "b", "ten1", "ten2")
"""Two that programs have aliases for, two that they only USE."""
PASSWORD = "differential-1"
SEEDS = (1, 2, 3)
"""Rows that are there at the start: one for each actor to change."""
LOCKS = ("l1", "l2")
SETTLED = 2.0
"""For how many seconds a session that was closed may go on holding what it held."""

TABLES = """
CREATE TABLE item (id BIGINT AUTO_INCREMENT PRIMARY KEY, tag BIGINT NULL UNIQUE,
    a INT NOT NULL DEFAULT 0, note VARCHAR(500) NOT NULL DEFAULT '') ENGINE=InnoDB;
CREATE TABLE entry (id BIGINT AUTO_INCREMENT PRIMARY KEY, item_id BIGINT NOT NULL,
    tag BIGINT NULL UNIQUE, FOREIGN KEY (item_id) REFERENCES item (id)) ENGINE=InnoDB;
CREATE TABLE duel (id INT PRIMARY KEY, a INT NOT NULL) ENGINE=InnoDB;
CREATE TABLE ballast (id INT PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE shelf (id INT PRIMARY KEY) ENGINE=InnoDB;
INSERT INTO duel VALUES (1, 0), (2, 0);
CREATE PROCEDURE two() BEGIN SELECT 'first'; SELECT 'second'; END;
CREATE PROCEDURE add_item(IN t BIGINT) BEGIN INSERT INTO item (tag) VALUES (t); SELECT t; END;
CREATE PROCEDURE begin_and_add(IN t BIGINT)
    BEGIN START TRANSACTION; INSERT INTO item (tag) VALUES (t); END;
"""
IDS_APART = 1_000_000_000
"""Between the row numbers, and tags, of one program and of the next; they are told without it.

What an earlier program deleted may still be in the index, and locks there reach further.
"""


def wait_until(true: Callable[[], bool], timeout: float) -> bool:
    """Ask again and again; return whether it came true in time."""
    deadline = time.monotonic() + timeout
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


class Ground:
    """The databases of one arm, seen by the administrator."""

    def __init__(self, server: Server, arm: str) -> None:
        self.server = server
        self.arm = arm
        self.base = 0
        """What the row numbers of the present program start from."""
        self._observer: Any = None
        self._server_seen: int | None = None
        """The process that the administrator's session belongs to: servers are started again."""
        self._make()

    def connect(self, **changes: Any) -> Any:
        """A new session of the administrator."""
        connection = pymysql.connect(
            unix_socket=self.server.socket,
            user="root",
            autocommit=True,
            client_flag=CLIENT.MULTI_STATEMENTS,
            init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            **changes,
        )
        return connection

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Run statements, which may be several; return the rows of the first."""
        if self._observer is None or self._server_seen != self.server.pid:
            self.forget()
            self._observer, self._server_seen = self.connect(), self.server.pid
        with self._observer.cursor() as cursor:
            cursor.execute(sql)
            rows = list(cursor.fetchall())
            while cursor.nextset():
                pass
            return rows

    def database(self, name: str) -> str:
        """The arm's own name of a database."""
        return f"{self.arm}_{name}"

    def forget(self) -> None:
        """Let go of the administrator's session, which may be dead."""
        if self._observer is not None:
            with contextlib.suppress(pymysql.err.Error):
                self._observer.close()
            self._observer = None

    # Before a program

    def _make(self) -> None:
        for name in DATABASES:
            self.make_database(name)
        self.ask(
            f"CREATE USER IF NOT EXISTS 'tried_{self.arm}'@'%' IDENTIFIED BY '{PASSWORD}';"
            f"GRANT ALL PRIVILEGES ON *.* TO 'tried_{self.arm}'@'%';"
        )

    def make_database(self, name: str) -> None:
        """Make one database anew, with the tables and nothing in them."""
        database = self.database(name)
        self.ask(f"DROP DATABASE IF EXISTS {database}; CREATE DATABASE {database}")
        connection = self.connect(database=database)
        try:
            with connection.cursor() as cursor:
                for part in TABLES.split(";\n"):
                    if part.strip():
                        cursor.execute(part)
        finally:
            connection.close()

    def start_over(self, number: int) -> None:
        """Put back what every program finds; *number* says where row numbers start."""
        self.base = number * IDS_APART
        self.end_sessions()
        for name in ("ten1", "ten2"):
            if not self.ask(f"SHOW DATABASES LIKE '{self.database(name)}'"):
                self.make_database(name)
        statements = []
        for name in DATABASES:
            database = self.database(name)
            seeds = ", ".join(f"({self.base + n}, {self.base - n}, 0)" for n in SEEDS)
            statements += [
                f"DELETE FROM {database}.entry",
                f"DELETE FROM {database}.item",
                f"INSERT INTO {database}.item (id, tag, a) VALUES {seeds}",
                f"INSERT INTO {database}.entry (id, item_id) VALUES ({self.base + 1}, "
                f"{self.base + 1})",
                f"UPDATE {database}.duel SET a = 0",
                f"DELETE FROM {database}.shelf",
                f"DROP TABLE IF EXISTS {database}.extra_1",
            ]
        self.ask(";".join(statements))

    # While one runs

    def stored(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row that is committed, by database and table."""
        parts = []
        existing = {row[0] for row in self.ask("SHOW DATABASES")}
        for name in DATABASES:
            database = self.database(name)
            if database in existing:
                columns = f"SELECT '{name}.item', id - {self.base}, tag - {self.base}, a, note"
                parts.append(f"{columns} FROM {database}.item")
        for name in ("a", "b"):
            columns = f"SELECT '{name}.entry', id - {self.base}, tag - {self.base}, 0, ''"
            parts.append(f"{columns} FROM {self.database(name)}.entry")
        rows = self.ask(" UNION ALL ".join(parts))
        found: dict[str, list[tuple[Any, ...]]] = {}
        for table, *row in sorted(rows, key=str):
            found.setdefault(table, []).append(tuple(row))
        return found

    def held(self) -> dict[str, Any]:
        """What is locked by somebody: the user locks, and rows by table."""
        locks = ", ".join(f"IS_USED_LOCK('{self.arm}_{lock}') IS NOT NULL" for lock in LOCKS)
        found = {"locks": list(self.ask(f"SELECT {locks}")[0])}
        for name in ("a", "b"):
            for table in ("item", "duel"):
                place = f"{self.database(name)}.{table}"
                all_rows = {row[0] for row in self.ask(f"SELECT id FROM {place}")}
                free = {
                    row[0] for row in self.ask(f"SELECT id FROM {place} FOR UPDATE SKIP LOCKED")
                }
                base = self.base if table == "item" else 0
                locked = sorted(row - base for row in all_rows - free)
                if locked:
                    found[f"{name}.{table}"] = locked
        return found

    def sessions(self, info: str = "") -> list[int]:
        """The arm's sessions at the server, or those whose statement contains *info*."""
        running = f" AND info LIKE '%{info}%'" if info else ""
        rows = self.ask(
            "SELECT id FROM information_schema.processlist"
            f" WHERE user = 'tried_{self.arm}' AND command <> 'Killed'{running}"
        )
        return [row[0] for row in rows]

    def kill(self, sessions: Sequence[int]) -> None:
        """End sessions; they are gone when this returns."""
        for session in sessions:
            try:
                self.ask(f"KILL {session}")
            except pymysql.err.Error as error:
                if error.args[0] != 1094:  # It has ended by itself.
                    raise
        gone = set(sessions)
        everybody = "SELECT id FROM information_schema.processlist"
        wait_until(lambda: not gone & {row[0] for row in self.ask(everybody)}, 10)

    def end_sessions(self) -> int:
        """End what a program left open; return how many sessions that were."""
        left = self.sessions()
        self.kill(left)
        return len(left)

    def wait_for_sessions(self, number: int) -> bool:
        """Wait until the arm has no more than so many sessions."""
        gone = wait_until(lambda: len(self.sessions()) <= number, SETTLED)
        return gone and wait_until(self._orphans_are_gone, SETTLED)

    def _orphans_are_gone(self) -> bool:
        """Whether each transaction has a session: one that ended may still be rolling back."""
        orphans = (
            "SELECT 1 FROM information_schema.innodb_trx WHERE trx_mysql_thread_id <> 0"
            " AND trx_mysql_thread_id NOT IN"
            " (SELECT id FROM information_schema.processlist)"
        )
        return not self.ask(orphans)

    def await_statement(self, info: str, in_vain: Callable[[], bool]) -> list[int]:
        """Wait until a session runs a statement that contains *info*; return its number.

        Nothing is waited for once it is *in vain*.
        """
        wait_until(lambda: bool(self.sessions(info)) or in_vain(), 10)
        return self.sessions(info)
