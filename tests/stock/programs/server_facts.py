"""What is known of a server is no older than the connection in use.

A server of the program's own is changed: by SET GLOBAL, and by a restart with another
configuration. Stock Django, which connects anew for each piece of work, says what can be done then.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connections, transaction
from tests.stock.programs.workshop import (
    FLAVOUR,
    LIFELINE,
    Scenes,
    alias,
    in_thread,
    one,
    piece_of_work_ends,
    run,
    say,
    session_id,
)

from lifeline_lab.servers import Server, start

MEGABYTE = 1 << 20
SMALL, LARGE = MEGABYTE, 16 * MEGABYTE
BETWEEN = "x" * (3 * MEGABYTE)
MODES = {"strict": "STRICT_TRANS_TABLES", "lax": "NO_ENGINE_SUBSTITUTION"}
WAITS = {"short": 1000, "long": 9000}

scene = Scenes()


def at(server: Server) -> str:
    """An alias whose database is on that server."""
    return alias(
        HOST=server.host,
        PORT=server.port,
        USER=server.user,
        PASSWORD=server.password,
        NAME="facts",
    )


def store(name: str) -> str:
    """Store what one limit lets pass and the other does not."""
    try:
        run(name, "INSERT INTO large (text) VALUES (%s)", [BETWEEN])
    except DatabaseError:
        return "refused"
    finally:
        piece_of_work_ends(name)
    return "stored"


def new_piece_of_work(name: str, server: Server) -> None:
    """Nothing more than what ends a request."""
    piece_of_work_ends(name)


def closed(name: str, server: Server) -> None:
    """The application closes its connection."""
    connections[name].close()


def killed(name: str, server: Server) -> None:
    """The session is killed while nothing runs."""
    number = session_id(name)
    piece_of_work_ends(name)
    server.end_sessions([number])


def restarted(name: str, server: Server) -> None:
    """The server starts anew, with what it was told before."""
    piece_of_work_ends(name)
    server.kill()  # in good order MySQL would wait some seconds for its clients
    server.start_again()


WAYS: dict[str, Callable[[str, Server], None]] = {
    each.__name__: each for each in (new_piece_of_work, closed, killed, restarted)
}


@contextmanager
def changed(server: Server, **variables: Any) -> Iterator[None]:
    """Variables of the server that a restart does not take back."""
    server._variables.update(variables)
    for name, value in variables.items():
        server.set_global(name, value)
    yield


def limits(first: int, then: int) -> Any:
    """What becomes of a long statement before and after the limit was changed, by way and place."""
    said: dict[str, Any] = {}
    for (way, go), place in itertools.product(WAYS.items(), ("here", "in a thread")):
        if go is restarted and place != "here":
            continue  # it takes long, and nothing is left of any thread's connection
        with changed(SERVER, max_allowed_packet=first):
            name = at(SERVER)
            before = store(name)
        with changed(SERVER, max_allowed_packet=then):
            go(name, SERVER)
            after = store(name) if place == "here" else in_thread(lambda: store(name))  # noqa: B023
        said[f"{way}, {place}"] = [before, after]
        connections[name].close()
    return said


@scene
def limit_is_raised() -> Any:
    return limits(SMALL, LARGE)


@scene
def limit_is_lowered() -> Any:
    return limits(LARGE, SMALL)


@scene
def limit_is_raised_before_a_block() -> Any:
    """A block counts on its session: what it has done before is not lost to a longer statement."""
    with changed(SERVER, max_allowed_packet=SMALL):
        name = at(SERVER)
        store(name)
    run(name, "DELETE FROM large")
    with changed(SERVER, max_allowed_packet=LARGE):
        try:
            with transaction.atomic(name):
                run(name, "INSERT INTO large (text) VALUES ('before')")
                run(name, "INSERT INTO large (text) VALUES (%s)", [BETWEEN])
        except DatabaseError:
            pass
        stored = one(name, "SELECT COUNT(*) FROM large")
    connections[name].close()
    return stored in (0, 2)


def known(name: str) -> list[bool]:
    """Whether Django knows of the session in use what the server says of it."""
    connection = connections[name]
    modes = one(name, "SELECT @@sql_mode")
    version = ".".join(map(str, connection.mysql_version))
    said = [connection.sql_mode == set(modes.split(",") if modes else ())]
    said.append(one(name, "SELECT VERSION()").startswith(version))
    facts = connection.server_facts
    said += [
        facts.wait_timeout == one(name, "SELECT @@session.wait_timeout"),
        facts.max_allowed_packet == one(name, "SELECT @@session.max_allowed_packet"),
    ]
    piece_of_work_ends(name)
    return said


@scene
def everything_else_is_changed() -> Any:
    """Modes and timeouts, forwards and back, by each way and in both places.

    Django's own wrapper asks once, and knows no better afterwards.
    """
    said: dict[str, Any] = {}
    if not LIFELINE:
        return said
    for way, go in WAYS.items():
        name = at(SERVER)
        for mode, wait in (("strict", "long"), ("lax", "short"), ("strict", "short")):
            with changed(SERVER, sql_mode=MODES[mode], wait_timeout=WAITS[wait]):
                go(name, SERVER)
                found = [all(known(name)), all(in_thread(lambda: known(name)))]  # noqa: B023
                said[f"{way}, {mode}, {wait}"] = found
        connections[name].close()
    return said


with start(FLAVOUR, {"max_allowed_packet": LARGE}) as SERVER:
    SERVER.create_database("facts")
    SERVER.query(
        "CREATE TABLE facts.large (id INT PRIMARY KEY AUTO_INCREMENT, text LONGTEXT) ENGINE=InnoDB"
    )
    say(scene.report())
