"""What a wrapper says of the server, asked in every way, in every state, after whatever happened.

A server of the program's own is stopped, or started anew, or ends the sessions. Each question is
asked by an alias of its own, so that none hears what another has found out.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from django.db import connections, transaction
from tests.stock.programs.workshop import (
    FLAVOUR,
    alias,
    one,
    outcome,
    piece_of_work_ends,
    run,
    say,
)

from lifeline_lab.servers import Server, start

WELL = "well"
KEPT: list[Any] = []


def at(server: Server) -> str:
    """An alias whose database is on that server."""
    return alias(
        HOST=server.host,
        PORT=server.port,
        USER=server.user,
        PASSWORD=server.password,
        NAME="health",
    )


# The states in which a wrapper is asked. Each returns what ends it.

Ending = Callable[[], Any]


def nothing_to_end() -> Any:
    """Most states end by themselves."""


def never_connected(name: str) -> Ending:
    return nothing_to_end


def between_statements(name: str) -> Ending:
    one(name, "SELECT 1")
    return nothing_to_end


def piece_of_work_is_over(name: str) -> Ending:
    one(name, "SELECT 1")
    piece_of_work_ends(name)
    return nothing_to_end


def closed(name: str) -> Ending:
    one(name, "SELECT 1")
    connections[name].close()
    return nothing_to_end


def with_the_drivers_object_in_hand(name: str) -> Ending:
    one(name, "SELECT 1")
    KEPT.append(connections[name].connection)
    return nothing_to_end


def in_a_block(name: str, *statements: str) -> Ending:
    block = transaction.atomic(name)
    block.__enter__()
    for sql in statements:
        run(name, sql)

    def end() -> Any:
        return outcome(lambda: block.__exit__(None, None, None))

    return end


def in_a_block_that_did_nothing(name: str) -> Ending:
    return in_a_block(name)


def in_a_block_that_read(name: str) -> Ending:
    return in_a_block(name, "SELECT 1")


def in_a_block_that_wrote(name: str) -> Ending:
    return in_a_block(name, "INSERT INTO note (tag) VALUES ('block')")


def without_autocommit(name: str) -> Ending:
    connection = connections[name]
    connection.set_autocommit(False)
    run(name, "INSERT INTO note (tag) VALUES ('manual')")

    def end() -> Any:
        return outcome(connection.rollback), outcome(lambda: connection.set_autocommit(True))

    return end


STATES = [
    never_connected,
    between_statements,
    piece_of_work_is_over,
    closed,
    with_the_drivers_object_in_hand,
    in_a_block_that_did_nothing,
    in_a_block_that_read,
    in_a_block_that_wrote,
    without_autocommit,
]


# The questions. Each says `WELL`, or what is wrong.


def ensure_connection(name: str) -> Any:
    return connections[name].ensure_connection() or WELL


def is_usable(name: str) -> Any:
    connection = connections[name]
    if connection.connection is None:
        return "not connected"  # of which stock Django cannot ask
    return WELL if connection.is_usable() else "not usable"


def ping_the_drivers_object(name: str) -> Any:
    raw = connections[name].connection
    return "not connected" if raw is None else raw.ping() or WELL


def open_a_cursor(name: str) -> Any:
    with connections[name].cursor() as cursor:
        return WELL if cursor else ""


def run_a_statement(name: str) -> Any:
    return WELL if one(name, "SELECT 1") == 1 else "wrong"


def run_a_statement_in_a_thread(name: str) -> Any:
    said: list[Any] = []

    def ask() -> None:
        said.append(outcome(lambda: run_a_statement(name)))
        connections[name].close()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return said[0]


def ensure_in_the_next_piece_of_work(name: str) -> Any:
    piece_of_work_ends(name)
    return ensure_connection(name)


QUESTIONS = [
    ensure_connection,
    is_usable,
    ping_the_drivers_object,
    open_a_cursor,
    run_a_statement,
    run_a_statement_in_a_thread,
    ensure_in_the_next_piece_of_work,
]


# What happens between.


def nothing(server: Server) -> None:
    """All is well."""


def sessions_are_killed(server: Server) -> None:
    mine = "SELECT id FROM information_schema.processlist WHERE db = 'health'"
    server.end_sessions(row[0] for row in server.query(mine))


def server_starts_anew(server: Server) -> None:
    server.stop()
    server.start_again()


def server_stops(server: Server) -> None:
    server.kill()  # in good order MySQL would wait some seconds for its clients


EVENTS = [nothing, sessions_are_killed, server_starts_anew, server_stops]


def report(server: Server) -> dict[str, Any]:
    """What each question says in each state after each event, then, and of the next statement."""
    said: dict[str, Any] = {}
    for event in EVENTS:
        server.start_again()
        asked = [(*pair, at(server)) for pair in itertools.product(STATES, QUESTIONS)]
        prepared = [(state, question, name, state(name)) for state, question, name in asked]
        event(server)
        for state, question, name, end in prepared:
            answer = outcome(lambda question=question, name=name: question(name))
            ended = end()
            then = outcome(lambda name=name: one(name, "SELECT 2"))
            outcome(connections[name].close)
            cell = f"{event.__name__}, {state.__name__}, {question.__name__}"
            said[cell] = {"said": answer, "ended": ended, "then": then}
    return said


with start(FLAVOUR) as SERVER:
    SERVER.create_database("health")
    SERVER.query("CREATE TABLE health.note (id INT PRIMARY KEY AUTO_INCREMENT, tag VARCHAR(9))")
    say(report(SERVER))
