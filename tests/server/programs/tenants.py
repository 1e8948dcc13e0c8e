"""Many databases in one process: what becomes of the connections that nobody asks for."""

from __future__ import annotations

import copy
import gc
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import OperationalError, connections, transaction
from tests.fixtures.program_setup import SETUP, admin
from tests.server.programs.toolbox import (
    database,
    forget,
    one,
    outcome,
    run,
    say,
    sessions,
    told,
    wait_until,
)

from django_lifeline.backends import assembly
from django_lifeline.backends.assembly import targets

TENANTS = 300
IDLE = 0.5


def aliases(prefix: str, **pool: Any) -> list[str]:
    made = []
    for number in range(TENANTS):
        alias = database(f"{prefix}{number}", "lifeline", OPTIONS={"pool": pool})
        assert one(alias, "SELECT 1") == 1
        connections[alias].close()
        made.append(alias)
    return made


def mine(prefix: str) -> list[assembly.Target]:
    return [target for target in targets if target.alias.startswith(prefix)]


def opened(prefix: str) -> int:
    return sum(target.pool.stats().size for target in mine(prefix))


def ask_one() -> None:
    """One piece of work at another database: in passing, it looks at two pools."""
    one("default", "SELECT 1")
    connections["default"].close_if_unusable_or_obsolete()


def in_passing() -> dict[str, Any]:
    """One database goes on, and nobody asks the others any more."""
    names = aliases("passed", max_idle=IDLE)
    before = opened("passed")

    def look() -> bool:
        ask_one()
        return opened("passed") == 0

    wait_until(look, "for the quiet pools to be empty")
    threads = threading.active_count()
    assembly.FORGET_AFTER = 0.0

    def forgotten() -> bool:
        ask_one()
        return not mine("passed")

    wait_until(forgotten, "for the empty pools to be forgotten")
    connections[names[0]].close()
    known = [it for it in assembly._known.values() if it.target.alias.startswith("passed")]
    assembly.FORGET_AFTER = 600.0
    gc.collect()
    left = [target for target in gc.get_objects() if type(target) is assembly.Target]
    said = {
        "opened": before,
        "threads": threads,
        "known": len(known),
        # Each alias's wrapper of this thread drops its target when it is closed.
        "left": len([target for target in left if target.alias.startswith("passed")]),
        "again": one(names[0], "SELECT 7"),
        "pools": len(mine("passed")),
    }
    connections[names[0]].close()
    return said


def by_thread() -> dict[str, Any]:
    """Nobody asks anything any more, and a thread is allowed."""
    before = sessions()
    aliases("timed", max_idle=IDLE, upkeep=True)
    wait_until(lambda: opened("timed") > 0, "for connections")
    threads = [thread.name for thread in threading.enumerate() if "upkeep" in thread.name]
    wait_until(lambda: opened("timed") == 0, "for the thread to end what is idle")
    wait_until(lambda: len(sessions() - before) <= 1, "for the server to see it")
    return {"threads": len(threads)}


NAMES = [f"{SETUP['database']['NAME']}_t{number}" for number in range(12)]
LIMIT = 4
LOOK = "SELECT DATABASE(), CONNECTION_ID(), @@collation_database, @@collation_connection"


@contextmanager
def tenants() -> Iterator[None]:
    """Databases of their own: every other one has another character set."""
    for number, name in enumerate(NAMES):
        charset = ("utf8mb4", "latin1")[number % 2]
        admin(f"CREATE DATABASE {name} CHARACTER SET {charset}")
        admin(f"CREATE TABLE {name}.whose (name VARCHAR(100))")
        admin(f"INSERT INTO {name}.whose VALUES ('{name}')")
    try:
        yield
    finally:
        for name in NAMES:
            admin(f"DROP DATABASE IF EXISTS {name}")


def budgeted(alias: str, name: str, lifeline: Any = None, **changes: Any) -> str:
    options = {
        **changes.pop("OPTIONS", {}),
        "lifeline": {"max_connections": LIMIT, **(lifeline or {})},
    }
    return database(alias, "lifeline", NAME=name, OPTIONS=options, **changes)


def row(alias: str, sql: str) -> tuple[Any, ...]:
    with connections[alias].cursor() as cursor:
        cursor.execute(sql)
        found: tuple[Any, ...] = cursor.fetchone()
    connections[alias].close_if_unusable_or_obsolete()
    return found


def variables(alias: str) -> dict[str, str]:
    """All that the server says of this alias's session, but for what differs by nature."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SHOW SESSION VARIABLES")
        found = dict(cursor.fetchall())
    connections[alias].close_if_unusable_or_obsolete()
    by_nature = (
        "timestamp",
        "pseudo_thread_id",
        "last_gtid",
        "last_insert_id",
        "identity",
        "rand_seed1",
        "rand_seed2",
        "error_count",
        "warning_count",
        "gtid_",
        "statement_id",
    )
    return {key: value for key, value in found.items() if not key.startswith(by_nature)}


def of_users() -> set[int]:
    """The sessions of all but the administrator."""
    rows = admin("SELECT id FROM information_schema.processlist WHERE user <> 'root'")
    return {int(row[0]) for row in rows}


def forget_all(prefix: str) -> None:
    for alias in [it for it in connections if it.startswith(prefix)]:
        forget(alias)


def moving() -> dict[str, Any]:
    """Twelve databases on four connections, in random order; each answer says whose it is."""
    names = {budgeted(f"moving{number}", name): name for number, name in enumerate(NAMES)}
    before = of_users()
    chance = random.Random(1)
    wrong, ids, most = [], set(), 0
    for _ in range(300):
        alias = chance.choice(list(names))
        said = row(alias, LOOK)
        whose = row(alias, "SELECT name FROM whose")[0]
        ids.add(said[1])
        wrong += [] if said[0] == whose == names[alias] else [(said[0], whose, names[alias])]
        most = max(most, len(of_users() - before))
    collations = {names[alias]: row(alias, LOOK)[2:] for alias in names}
    admin_says = {
        name: (
            admin(
                f"SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"
                f" WHERE SCHEMA_NAME = '{name}'"
            )[0][0],
        )
        for name in NAMES
    }
    moved = variables("moving0")
    alias = database("fresh", "lifeline", NAME=NAMES[0])
    fresh = variables(alias)
    said = {
        "wrong": wrong,
        "sessions": len(ids),
        "most": most,
        "collations": all(collations[name][0] == admin_says[name][0] for name in NAMES),
        "connection_collations": len({found[1] for found in collations.values()}),
        "variables": {
            key: (fresh[key], moved.get(key)) for key in fresh if fresh[key] != moved.get(key)
        },
        "known": len(fresh) > 100,
    }
    forget(alias)
    forget_all("moving")
    return said


def in_threads() -> dict[str, Any]:
    """More threads than connections, on random databases, with sessions that are left dirty."""
    names = {budgeted(f"crowd{number}", name): name for number, name in enumerate(NAMES)}
    before = of_users()
    errors: list[str] = []
    most = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            most[0] = max(most[0], len(of_users() - before))

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for step in range(60):
            alias = chance.choice(list(names))
            try:
                with connections[alias].cursor() as cursor:
                    if step % 7 == 0:
                        cursor.execute("SET SESSION sql_mode = 'ANSI'")
                    if step % 11 == 0:
                        cursor.execute(f"USE {NAMES[0]}")
                        cursor.execute(f"USE {names[alias]}")
                    cursor.execute("SELECT DATABASE(), name, @@sql_mode FROM whose")
                    found = cursor.fetchone()
                right = found[0] == found[1] == names[alias]
                clean = ("ANSI" in found[2]) == (step % 7 == 0)
                errors.extend([] if right and clean else [f"{found} for {names[alias]}"])
            except Exception as error:
                errors.append(told(error))
            connections[alias].close_if_unusable_or_obsolete()
        connections.close_all()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    watcher = threading.Thread(target=watch)
    for thread in [watcher, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()
    forget_all("crowd")
    return {"errors": sorted(set(errors)), "most": most[0]}


def unlike() -> dict[str, Any]:
    """What differs in more than the name gets a connection of its own."""
    with_user = {"USER": "tenant", "PASSWORD": "secret-of-the-tenant"}
    admin("CREATE USER 'tenant'@'%%' IDENTIFIED BY 'secret-of-the-tenant'")
    admin(f"GRANT ALL ON {NAMES[1]}.* TO 'tenant'@'%%'")
    others: dict[str, Any] = {
        "user": with_user,
        "charset": {"OPTIONS": {"charset": "latin1"}},
        "isolation": {"OPTIONS": {"isolation_level": "repeatable read"}},
        "sql_mode": {"OPTIONS": {"sql_mode": "ANSI"}},
        "init_asks": {"OPTIONS": {"init_command": "SELECT COUNT(*) FROM whose"}},
        "init_sets": {"OPTIONS": {"init_command": "SET @@session.wait_timeout = 77"}},
    }
    said: dict[str, Any] = {}
    for key, changes in others.items():
        for number in range(LIMIT):
            row(budgeted(f"unlike{key}{number}", NAMES[0]), LOOK)
            # An idle connection of its own for each alias: none is left over.
        alias = budgeted(f"unlike{key}", NAMES[1], **copy.deepcopy(changes))
        known = sessions()
        found = row(alias, "SELECT DATABASE(), CONNECTION_ID(), CURRENT_USER()")
        said[key] = ["old" if found[1] in known else "new", found[0] == NAMES[1]]
        forget_all("unlike")
    # The account may not use the second database: the error is the one of a new connection.
    first = budgeted("granted", NAMES[1], **with_user)
    second = budgeted("denied", NAMES[2], **with_user)
    gone = budgeted("gone", "no_such_database")
    row(first, LOOK)
    for number in range(LIMIT - 1):
        row(budgeted(f"granted{number}", NAMES[1], **with_user), LOOK)
    said["denied"] = outcome(lambda: one(second, LOOK))
    said["unknown"] = outcome(lambda: one(gone, LOOK))
    said["goes_on"] = row(first, LOOK)[0] == NAMES[1]
    for alias in (first, second, gone):
        forget(alias)
    forget_all("granted")
    admin("DROP USER 'tenant'@'%%'")
    return said


def spent() -> dict[str, Any]:
    """All are in use: who comes too late is told so; who rests between statements gives way."""
    pool = {"timeout": 0.2}
    held = [
        budgeted(f"spent{number}", NAMES[number], OPTIONS={"pool": pool}) for number in range(LIMIT)
    ]
    late = budgeted("late", NAMES[LIMIT], OPTIONS={"pool": pool})
    with ExitStack() as blocks:
        for alias in held:
            blocks.enter_context(transaction.atomic(alias))
            one(alias, "SELECT 1")
        try:
            one(late, LOOK)
        except OperationalError as error:
            refused = [error.args[0], "'max_connections'" in str(error)]
    with connections[held[0]].cursor() as cursor:
        cursor.execute("INSERT INTO whose VALUES ('x')")
    for alias in held[1:]:
        one(alias, "SELECT 1")
    rested = one(late, LOOK) == NAMES[LIMIT]
    again = [row(alias, LOOK)[0] == name for alias, name in zip(held, NAMES, strict=False)]
    forget_all("spent")
    forget(late)
    return {"refused": refused, "rested": rested, "again": again}


def answers_of_a_session() -> dict[str, Any]:
    """What was asked about the last statement is answered although its session went elsewhere."""
    held = [budgeted(f"asked{number}", NAMES[number]) for number in range(LIMIT)]
    late = budgeted("other", NAMES[LIMIT])
    admin(f"CREATE TABLE {NAMES[0]}.numbered (id INT AUTO_INCREMENT PRIMARY KEY)")
    for alias in held[1:]:
        with transaction.atomic(alias):
            one(alias, "SELECT 1")
    run(held[0], "INSERT INTO numbered VALUES (41)")
    run(held[0], "INSERT INTO numbered VALUES ()")
    mine = connections[held[0]]._hold.connection.server_thread_id
    with ExitStack() as blocks:
        for alias in held[1:]:
            blocks.enter_context(transaction.atomic(alias))
            one(alias, "SELECT 1")
        theirs = row(late, "SELECT DATABASE(), CONNECTION_ID()")
        connections[late].close()
    said = {
        "moved": [theirs[0] == NAMES[LIMIT], theirs[1] == mine],
        "last_id": one(held[0], "SELECT LAST_INSERT_ID()"),
    }
    forget_all("asked")
    forget(late)
    return said


def main() -> None:
    one("default", "SELECT 1")
    connections["default"].close()
    said = {"in_passing": in_passing(), "by_thread": by_thread()}
    with tenants():
        for part in (moving, in_threads, unlike, spent, answers_of_a_session):
            said[part.__name__] = part()
    say(said)


if __name__ == "__main__":
    main()
