"""Breaks into queries again and again, and counts whose rows come as the next answers.

MODE says what breaks in, COUNT how often. With PROTECTION=off the driver connections forget that
an exchange was under way, so that the count is seen to find what it looks for.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext

from django.db import DatabaseError, close_old_connections, connection, connections, transaction
from tests.fixtures.program_setup import SETUP, admin

COUNT = int(os.environ["COUNT"])
MAX_SIZE = 4
BORROWERS = 6
LONGEST = 0.006
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


def ask_in_peace(who: str) -> None:
    """Ask, and count errors too: nobody broke in here."""
    try:
        ask(who)
    except DatabaseError as error:
        tally.errors[f"{type(error).__name__} {error.args[:1]}"] += 1
        if not connection.in_atomic_block:
            connection.close()


def go_on() -> None:
    """Do what a program does before its next piece of work.

    Where the exception broke into Django's own end of ``atomic``, Django does not know any more
    that the block is over; the wrapper is then replaced, as by a new thread.
    """
    if connection.in_atomic_block:
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
    others = [threading.Thread(target=ask_until, args=(over, f"other {n}")) for n in range(3)]
    for other in others:
        other.start()
    while tally.struck < COUNT:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, LONGEST))
        try:
            armed = True
            ask("struck")
            armed = False
        except Struck:
            tally.struck += 1
            go_on()
        ask_in_peace("after")
    over.set()
    for other in others:
        other.join()


def ask_until(over: threading.Event, who: str) -> None:
    """Be a bystander."""
    while not over.is_set():
        ask_in_peace(who)
    connection.close()


class Worker(threading.Thread):
    """A thread that is struck by asynchronous exceptions.

    Whoever strikes sets ``pending`` first and looks at ``asking`` then, the worker does the
    reverse: so an exception arrives inside the ``try`` or not at all.
    """

    asking = pending = over = False

    def run(self) -> None:
        while not self.over:
            try:
                self.asking = True
                ask("struck")
                self.asking = False
                while self.pending:
                    time.sleep(0)
            except Struck:
                self.asking = self.pending = False
                tally.struck += 1
                go_on()
            ask_in_peace("after")
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
    workers = [Worker() for _ in range(BORROWERS)]
    for worker in workers:
        worker.start()
    while tally.struck < COUNT:
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
        while tally.struck < COUNT:
            victim = gevent.spawn(ask, "struck")
            gevent.sleep(random.uniform(0.0001, LONGEST))
            victim.kill()
            tally.struck += isinstance(victim.value, gevent.GreenletExit)
            ask_in_peace(who)
        connection.close()

    gevent.joinall([gevent.spawn(borrow, str(n)) for n in range(BORROWERS)], raise_error=True)


def strike_by_timeout() -> None:
    """Greenlets that live on run into gevent's ``Timeout``."""
    import gevent

    def borrow(who: str) -> None:
        while tally.struck < COUNT:
            try:
                with gevent.Timeout(random.uniform(0.0001, LONGEST)):
                    ask("struck")
            except gevent.Timeout:
                tally.struck += 1
                go_on()
            ask_in_peace(who)
        connection.close()

    gevent.joinall([gevent.spawn(borrow, str(n)) for n in range(BORROWERS)], raise_error=True)


MODES: dict[str, Callable[[], None]] = {
    "signal": strike_by_signal,
    "threads": strike_threads,
    "kill": strike_by_kill,
    "timeout": strike_by_timeout,
}


def switch_protection_off() -> None:
    """Let no driver connection remember that an exchange is under way."""
    from django_lifeline.core.drivers import mysqlclient
    from django_lifeline.core.drivers.base import Guarded

    forgetful = property(lambda self: False, lambda self, value: None)
    Guarded._under_way = forgetful
    mysqlclient.Connection._unread = forgetful


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


if os.environ.get("PROTECTION") == "off":
    switch_protection_off()
began = time.monotonic()
MODES[os.environ["MODE"]]()
took = time.monotonic() - began
connection.close()
result = {**vars(tally), "seconds": round(took, 1)}
if SETUP["database"]["ENGINE"].startswith("django_lifeline") and "PROTECTION" not in os.environ:
    result |= {"borrowed": borrow_all_at_once(), "sessions": sessions()}
print(json.dumps(result))
