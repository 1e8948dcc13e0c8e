"""Breaks into queries again and again, and counts whose rows come as the next answers.

MODE says what breaks in, COUNT how often. With PROTECTION=off the driver connections forget that
an exchange was under way, so that the count is seen to find what it looks for; the first crossing
ends the program then.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import logging
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from django.db import Error, close_old_connections, connection, connections, transaction
from tests.fixtures.program_setup import SETUP, admin

from django_lifeline.core.events import Reason

COUNT = int(os.environ["COUNT"])
PROTECTED = os.environ.get("PROTECTION") != "off"
MAX_SIZE = 4
BORROWERS = 6
LONGEST = 0.006
PATIENCE = 1000
QUERY = "SELECT %s, SLEEP(%s) UNION ALL SELECT %s, REPEAT('x', %s)"

numbers = itertools.count()
random.seed(int(os.environ.get("SEED", "1")))


class Struck(BaseException):
    """What breaks in."""


class Tally:
    """What happened. ``crossed`` are answers with another's rows, ``torn`` are incomplete ones."""

    def __init__(self) -> None:
        self.struck = self.asked = self.crossed = self.torn = 0
        self.errors: Counter[str] = Counter()

    def note(self, tag: str, rows: list[tuple[str, object]]) -> None:
        """Judge one answer."""
        tags = [row[0] for row in rows]
        self.asked += 1
        if any(found != tag for found in tags):
            self.crossed += 1
        elif tags != [tag, tag]:
            self.torn += 1


tally = Tally()


CAUGHT = (Error,) if PROTECTED else (Error, connection.Database.Error)
"""Where nothing protects, the driver's own word comes out of Django's steps as well."""


def going_on() -> bool:
    """Whether to strike again."""
    return tally.struck < COUNT and (PROTECTED or not tally.crossed)


def ask(who: str) -> None:
    """Ask for rows that carry a tag nobody else uses; every other time inside ``atomic``."""
    inside = random.random() < 0.5
    with transaction.atomic() if inside else nullcontext():
        for _ in range(1 + inside):
            tag = f"{who}-{next(numbers)}"
            values = [tag, random.uniform(0, LONGEST), tag, random.choice((1, 1, 200_000))]
            with connection.cursor() as cursor:
                cursor.execute(QUERY, values)
                tally.note(tag, cursor.fetchall())


def ask_and_count(who: str) -> None:
    """Ask, and count the errors."""
    try:
        ask(who)
    except CAUGHT as error:
        tally.errors[f"{type(error).__name__} {error.args[:1]}"] += 1
        if not PROTECTED and connection._hold is not None:
            # The driver itself refuses this one; nothing else would be lent from now on.
            connection._drop(connection._hold, Reason.LOST)
        go_on()


def go_on() -> None:
    """Do what a program does before its next piece of work.

    Where the exception broke into Django's own end of ``atomic``, Django does not know any more
    that the block is over; the wrapper is then replaced, as by a new thread.
    """
    if connection.in_atomic_block:
        connection.close()
        del connections["default"]
    close_old_connections()


def strike_by_signal() -> None:
    """A time limit's signal handler raises in the main thread, while other threads go on."""
    armed = False

    def strike(number: int, frame: object) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise Struck

    signal.signal(signal.SIGALRM, strike)
    over = threading.Event()
    others = [
        threading.Thread(target=ask_until, args=(over, f"other {n}"), daemon=True) for n in range(3)
    ]
    for other in others:
        other.start()
    while going_on():
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, LONGEST))
        try:
            armed = True
            ask_and_count("struck")
            armed = False
        except Struck:
            tally.struck += 1
            go_on()
        ask_and_count("after")
    over.set()
    for other in others:
        other.join()


def ask_until(over: threading.Event, who: str) -> None:
    """Be a bystander."""
    while not over.is_set():
        ask_and_count(who)
    connection.close()


class Worker(threading.Thread):
    """A thread that is struck by asynchronous exceptions.

    Whoever strikes sets ``pending`` first and looks at ``asking`` then, the worker does the
    reverse: so an exception arrives inside the ``try`` or not at all.
    """

    asking = pending = over = False

    def run(self) -> None:
        ask_and_count("first")
        while not self.over:
            try:
                self.asking = True
                ask_and_count("struck")
                self.asking = False
                for _ in range(PATIENCE):  # a finalizer may have swallowed it
                    if not self.pending:
                        break
                    time.sleep(0.001)
                self.pending = False
            except Struck:
                self.asking = self.pending = False
                tally.struck += 1
                go_on()
            ask_and_count("after")
        connection.close()

    def strike(self) -> None:
        """Raise `Struck` in this thread."""
        self.pending = True
        if self.asking and self.ident is not None:
            ident = ctypes.c_ulong(self.ident)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(Struck))
        else:
            self.pending = False


def strike_threads() -> None:
    """Asynchronous exceptions hit worker threads, as time limits of thread pools do."""
    workers = [Worker(daemon=True) for _ in range(BORROWERS)]
    for worker in workers:
        worker.start()
    while going_on():
        time.sleep(random.uniform(0, LONGEST / BORROWERS))
        worker = random.choice(workers)
        if not worker.pending:
            worker.strike()
    for worker in workers:
        worker.over = True
    for worker in workers:
        worker.join()


def strike_by_kill() -> None:
    """Greenlets are killed while they wait for an answer."""
    import gevent

    def borrow(who: str) -> None:
        while going_on():
            victim = gevent.spawn(ask_and_count, "struck")
            gevent.sleep(random.uniform(0.0001, LONGEST))
            victim.kill()
            tally.struck += isinstance(victim.value, gevent.GreenletExit)
            ask_and_count(who)
        connection.close()

    gevent.joinall([gevent.spawn(borrow, str(n)) for n in range(BORROWERS)], raise_error=True)


def strike_by_timeout() -> None:
    """Greenlets that live on run into gevent's ``Timeout``."""
    import gevent

    def borrow(who: str) -> None:
        while going_on():
            try:
                with gevent.Timeout(random.uniform(0.0001, LONGEST)):
                    ask_and_count("struck")
            except gevent.Timeout:
                tally.struck += 1
                go_on()
            ask_and_count(who)
        connection.close()

    gevent.joinall([gevent.spawn(borrow, str(n)) for n in range(BORROWERS)], raise_error=True)


MODES: dict[str, Callable[[], None]] = {
    "signal": strike_by_signal,
    "threads": strike_threads,
    "kill": strike_by_kill,
    "timeout": strike_by_timeout,
}


def switch_protection_off() -> None:
    """Let no driver connection remember that an exchange is under way.

    PyMySQL, which closes a connection itself when something breaks into its reading, may not.
    """
    from django_lifeline.backends.answers import Answers

    # Its own questions would come first, and get the rows that are to reach another borrower.
    Answers._take_keepsake = lambda self, hold: None
    forgetful = property(lambda self: False, lambda self, value: None)
    if SETUP["driver"] == "mysqlclient":
        from django_lifeline.core.drivers.mysqlclient import Connection

        Connection._under_way, Connection.busy = forgetful, busy_for_readers_only()
    else:
        from pymysql.connections import Connection

        from django_lifeline.core.drivers import pymysql as driver

        Connection._force_close = lambda self: None
        driver.Connection._under_way = driver.Connection.busy = forgetful


def busy_for_readers_only() -> property:
    """The mark, visible to what reads an answer and to nobody who asks before sending."""
    readers = {"store_result", "use_result", "next_result", "discard_result"}

    def look(self: Any) -> bool:
        frame = sys._getframe(1)
        if frame.f_code.co_name == "_has_unread" and frame.f_back is not None:
            frame = frame.f_back
        return self.__dict__.get("busy", False) and frame.f_code.co_name in readers

    def mark(self: Any, value: bool) -> None:
        self.__dict__["busy"] = value

    return property(look, mark)


def borrow_all_at_once() -> int:
    """Hold as many connections as the pool may have; return how many there are."""
    here = threading.Barrier(MAX_SIZE, timeout=20)
    found = set()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT CONNECTION_ID()")
            found.add(cursor.fetchone()[0])
            here.wait()
        connection.close()

    holders = [threading.Thread(target=hold) for _ in range(MAX_SIZE)]
    for holder in holders:
        holder.start()
    for holder in holders:
        holder.join()
    return len(found)


def sessions() -> int:
    """How many sessions the server has for us, as soon as it has noticed who went."""
    deadline = time.monotonic() + 10
    while True:
        name = SETUP["database"]["NAME"]
        user = SETUP["database"]["USER"]
        [[count]] = admin(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE db = %s AND user = %s",
            name,
            user,
        )
        if count <= MAX_SIZE or time.monotonic() > deadline:
            return int(count)
        time.sleep(0.05)


# Before Python 3.13 a log handler keeps its lock when something breaks in as it takes it, and
# whoever logs next waits for ever: not what is to be seen here.
logging.disable()
if not PROTECTED:
    switch_protection_off()
# Imports are over before the first strike: Python's import locks do not survive one.
ask_and_count("first")
began = time.monotonic()
MODES[os.environ["MODE"]]()
took = time.monotonic() - began
connection.close()
result = {**vars(tally), "seconds": round(took, 1)}
if SETUP["database"]["ENGINE"].startswith("django_lifeline") and PROTECTED:
    result |= {"borrowed": borrow_all_at_once(), "sessions": sessions()}
print(json.dumps(result))
