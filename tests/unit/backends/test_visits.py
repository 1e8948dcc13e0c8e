"""A signal handler uses the database between any two steps of what it came into.

Python runs it where it looks for signals: each such instruction of the engine's code is a place.
What it came into goes on as if nothing had been. The handler itself is answered, or told that it
came in the middle of an exchange, as by mysqlclient.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from django.db import ProgrammingError, close_old_connections, connections, transaction
from tests.interruption.steps import polls
from tests.unit.backends.fake_server import FakeServer, ServerSession

import django_lifeline
from django_lifeline.core.pool.slot import State

ENGINE = tuple(f"{Path(django_lifeline.__file__).parent / name}/" for name in ("backends", "core"))

Work = Callable[[Any], object]


class Undo(Exception):
    """Ends a block without storing it."""


def ask(sql: str) -> Any:
    with connections["default"].cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def read(wrapper: Any) -> None:
    assert ask("SELECT 1") == ((1,),)


def store(wrapper: Any) -> None:
    ask("INSERT one")


def block(wrapper: Any) -> None:
    with transaction.atomic():
        ask("INSERT one")
        ask("INSERT two")


def undone(wrapper: Any) -> None:
    with suppress(Undo), transaction.atomic():
        ask("INSERT one")
        raise Undo


def by_hand(wrapper: Any) -> None:
    transaction.set_autocommit(False)
    ask("INSERT one")
    transaction.commit()
    transaction.set_autocommit(True)


def request(wrapper: Any) -> None:
    close_old_connections()
    read(wrapper)
    close_old_connections()
    store(wrapper)
    close_old_connections()


def anew(wrapper: Any) -> None:
    wrapper.close()
    store(wrapper)


AS_WITH_STOCK = {"block", "undone", "by_hand"}
"""In the middle of whose blocks Django refuses to begin another."""

WORKS: dict[str, tuple[Work, list[str]]] = {
    "read": (read, []),
    "store": (store, ["one"]),
    "block": (block, ["one", "two"]),
    "undone": (undone, []),
    "by_hand": (by_hand, ["one"]),
    "request": (request, ["one"]),
    "anew": (anew, ["one"]),
}


def visit_reads() -> None:
    assert ask("SELECT 1") == ((1,),)


def visit_stores() -> None:
    ask("INSERT visit")


def visit_has_a_block() -> None:
    with transaction.atomic():
        ask("INSERT visit")


def visit_sets() -> None:
    ask("SET SESSION sql_mode = 'ANSI_QUOTES'")


VISITORS = {
    each.__name__: each for each in (visit_reads, visit_stores, visit_has_a_block, visit_sets)
}


class Steps:
    """Counts the steps of the engine's code, and lets a visitor come before one of them."""

    def __init__(self, at: int = 0, visitor: Callable[[], None] = read) -> None:
        self.at = at
        self.visitor = visitor
        self.count = 0
        self.told: BaseException | None = None

    def _call(self, frame: FrameType, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(ENGINE):
            return None
        frame.f_trace = self._step
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._step

    def _step(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "opcode" and polls(frame):
            self.count += 1
            if self.count == self.at:
                sys.settrace(None)
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                try:
                    self.visitor()
                except BaseException as error:
                    self.told = error
        return self._step

    def run(self, work: Work, wrapper: Any) -> None:
        before = sys.gettrace()
        sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for one when tracing begins
        sys.settrace(self._call)
        try:
            work(wrapper)
        finally:
            sys.settrace(before)


class InHand:
    """Sees that no statement runs on a connection that others may have at that moment."""

    def __init__(self, server: FakeServer, wrapper: Any) -> None:
        self._answer, self._wrapper = server.answer, wrapper
        self.wrong: list[str] = []

    def __call__(self, session: ServerSession, sql: str) -> Any:
        for slot in list(self._wrapper.pool._ledger.slots):
            connection = slot.connection
            mine = connection is not None and connection.server_session is session
            if mine and slot.state in (State.RESTING, State.IDLE):
                self.wrong.append(sql)
        return self._answer(session, sql)


@pytest.mark.parametrize("warm", [-1.0, float("inf")], ids=["looks", "warm"])
@pytest.mark.parametrize("visitor", VISITORS.values(), ids=VISITORS)
@pytest.mark.parametrize("name", WORKS)
def test_visit_changes_nothing_for_what_it_came_into(
    wrapper_in_django: Any,
    server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    visitor: Callable[[], None],
    warm: float,
) -> None:
    # Otherwise it depends on the time that the work takes whether a cursor looks at the connection.
    monkeypatch.setattr("django_lifeline.backends.wrapper.WARM", warm)
    if visitor is visit_has_a_block and name in AS_WITH_STOCK:
        pytest.skip("Django's own blocks are not made for that")
    wrapper, (work, stored) = wrapper_in_django, WORKS[name]
    server.shows_transactions = bool(len(visitor.__name__) % 2)
    work(wrapper)
    in_hand = InHand(server, wrapper)
    monkeypatch.setattr(server, "answer", in_hand)
    counted = Steps()
    counted.run(work, wrapper)
    assert counted.count > 15
    for at in range(1, counted.count + 1):
        wrapper.close()  # of a session that a visitor has set up, once
        work(wrapper)
        server.stored.clear()
        in_hand.wrong.clear()
        steps = Steps(at, visitor)
        steps.run(work, wrapper)
        seen = f"step {at}, {getattr(steps, 'where', '')}"
        assert [row for row in server.stored if row != "visit"] == stored, seen
        assert in_hand.wrong == [], seen
        hold = wrapper._hold
        assert hold is None or hold.resting or not hold.returned, seen
        for slot in wrapper.pool._ledger.slots:
            session = slot.connection and slot.connection.session
            assert slot.state is not State.RESTING or session.clean, seen
        if steps.told is not None:
            assert isinstance(steps.told, ProgrammingError), (seen, steps.told)
            assert steps.told.args[0] == 2014, seen
        store(wrapper)
        assert server.stored[-1] == "one", seen
        assert wrapper.get_autocommit() and not wrapper.in_atomic_block, seen
