"""The administrator's session: makes the tables, watches and kills sessions, reads what is stored.

It uses PyMySQL alone, so that what judges a cell shares nothing with the engine.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lifeline_lab.servers.server import NO_SUCH_THREAD

PREFIX = "lifeline_lab_"
TABLES = {
    "task": "id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) NOT NULL, "
    "state VARCHAR(20) NOT NULL",
    "timeline": "id INT AUTO_INCREMENT PRIMARY KEY, task VARCHAR(100) NOT NULL, "
    "note VARCHAR(100) NOT NULL",
    "gold": "id INT AUTO_INCREMENT PRIMARY KEY, day VARCHAR(20) NOT NULL, price INT NOT NULL",
    "document": "id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) NOT NULL, "
    "body LONGTEXT NOT NULL",
}
WHAT_IS_READ = {
    "task": "name, state",
    "timeline": "task, note",
    "gold": "day, price",
    "document": "name, LENGTH(body)",
}
TASKS = ("mail the report", "count the stock", "close the books")
GOLDS = (("monday", 410), ("tuesday", 412), ("wednesday", 409))
# The administrator must outlive what is done to everybody else.
INIT = "SET SESSION wait_timeout = 28800"


@dataclass(frozen=True, slots=True)
class Session:
    """One line of the server's process list."""

    id: int
    command: str
    info: str


@dataclass(frozen=True)
class Login:
    """How to reach a server. The password is never shown."""

    user: str
    password: str
    host: str = ""
    port: int = 3306
    socket: str = ""

    def __repr__(self) -> str:
        return f"<{self.user} at {self.socket or f'{self.host}:{self.port}'}>"

    def arguments(self) -> Mapping[str, Any]:
        """Return PyMySQL's arguments."""
        where: dict[str, Any] = (
            {"unix_socket": self.socket} if self.socket else {"host": self.host, "port": self.port}
        )
        return {"user": self.user, "password": self.password, **where}


class Admin:
    """One administrator session, opened when needed and again after the server restarted.

    The lock guards the session: the cell's thread and its observer share it.
    """

    def __init__(self, login: Login, database: str, prefix: str = PREFIX) -> None:
        self.login = login
        self.database = database
        self.prefix = prefix
        self._lock = threading.Lock()
        self._connection: Any = None

    def run(self, sql: str, *args: object) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows; a dead session is replaced once."""
        import pymysql  # here, since --help and --list do not need it

        with self._lock:
            for last in (False, True):
                try:
                    with self._opened().cursor() as cursor:
                        cursor.execute(sql, args or None)
                        return list(cursor.fetchall())
                except (pymysql.err.OperationalError, pymysql.err.InterfaceError):
                    self._forget()
                    if last:
                        raise
        raise AssertionError("unreachable")

    def another(self) -> Admin:
        """Return an administrator of the same database with a session of its own."""
        return Admin(self.login, self.database, self.prefix)

    def version(self) -> str:
        """Return the server's own version string."""
        return str(self.run("SELECT VERSION()")[0][0])

    def create_database(self) -> None:
        """Make an empty database for one cell."""
        self.run(f"CREATE DATABASE {self.database} CHARACTER SET utf8mb4")

    def drop_database(self) -> None:
        """Remove it, and whatever the program left in it."""
        self.run(f"DROP DATABASE IF EXISTS {self.database}")

    def create_tables(self) -> None:
        """Make the lab's tables and put in what the programs expect to find."""
        for name, columns in TABLES.items():
            self.run(f"CREATE TABLE {self.table(name)} ({columns}) ENGINE=InnoDB")
        tasks = ", ".join(f"('{task}', 'new')" for task in TASKS)
        self.run(f"INSERT INTO {self.table('task')} (name, state) VALUES {tasks}")
        golds = ", ".join(f"('{day}', {price})" for day, price in GOLDS)
        self.run(f"INSERT INTO {self.table('gold')} (day, price) VALUES {golds}")

    def drop_tables(self) -> None:
        """Remove the lab's tables, and nothing else."""
        for name in TABLES:
            self.run(f"DROP TABLE IF EXISTS {self.table(name)}")

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return what is stored in the lab's tables, in the order of insertion."""
        return {
            name: self.run(f"SELECT {columns} FROM {self.table(name)} ORDER BY id")
            for name, columns in WHAT_IS_READ.items()
        }

    def sessions(self, only: Collection[int] | None = None) -> list[Session]:
        """Return the sessions in our database; with ``only``, no others than these."""
        found = []
        for line in self.run("SHOW FULL PROCESSLIST"):
            number, database, command, info = line[0], line[3], line[4], line[7]
            ours = database == self.database and not str(info or "").startswith("SHOW FULL PROC")
            if ours and command != "Killed" and (only is None or number in only):
                found.append(Session(int(number), str(command), str(info or "")))
        return found

    def kill(self, session: int) -> None:
        """End a session; one that is gone already is fine."""
        import pymysql

        try:
            self.run(f"KILL {int(session)}")
        except pymysql.err.Error as error:
            if error.args[0] != NO_SUCH_THREAD:
                raise

    def close(self) -> None:
        """End the administrator session."""
        with self._lock:
            self._forget()

    @contextlib.contextmanager
    def with_tables(self, own_database: bool) -> Iterator[None]:
        """Make database and tables for a block, and remove them afterwards."""
        if own_database:
            self.create_database()
        try:
            self.create_tables()
            yield
        finally:
            if own_database:
                self.drop_database()
            else:
                self.drop_tables()

    def table(self, name: str) -> str:
        """Return a table's full name, quoted."""
        return f"`{self.database}`.`{self.prefix}{name}`"

    def _opened(self) -> Any:
        import pymysql

        if self._connection is None:
            self._connection = pymysql.connect(
                **self.login.arguments(),
                autocommit=True,
                init_command=INIT,
                connect_timeout=10,
                read_timeout=30,
            )
        return self._connection

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()
